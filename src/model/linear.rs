//! A linear layer. On the CPU its weights are held in panels, and a row of its result depends on the same row of the
//! input alone, whatever else is in the batch; elsewhere it is the device's own product.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, DType, Device, Layout, Result, Shape, Storage, Tensor,
};

use crate::kernel::Panels;

/// `y = x w^T + b`; weight `[out, in]`, f32.
pub(super) struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

enum Weight {
    Panels(Product),
    Tensor(Tensor),
}

impl Linear {
    pub(super) fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        let weight = match weight.device() {
            Device::Cpu => {
                let inputs = weight.dim(1)?;
                let weight = weight.contiguous()?;
                let (storage, layout) = weight.storage_and_layout();
                let Storage::Cpu(storage) = &*storage else {
                    candle_core::bail!("expected the weight on the CPU");
                };
                let elements = contiguous(storage, layout)?;
                Weight::Panels(Product(Panels::pack(elements, inputs)))
            }
            _ => Weight::Tensor(weight.clone()),
        };
        Ok(Self { weight, bias })
    }

    /// `x`: `[rows, in]`; returns `[rows, out]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = match &self.weight {
            Weight::Panels(product) => x.apply_op1_no_bwd(product)?,
            Weight::Tensor(weight) => x.matmul(&weight.t()?)?,
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }

    /// `residual + forward(x)`, in one pass where there is no bias.
    pub(super) fn add_to(&self, residual: &Tensor, x: &Tensor) -> Result<Tensor> {
        match (&self.weight, &self.bias) {
            (Weight::Panels(product), None) => x.apply_op2_no_bwd(residual, product),
            _ => residual + self.forward(x)?,
        }
    }

    /// Rows of the weight, `[ids, in]`: what a head that is tied to the embedding embeds with.
    pub(super) fn rows(&self, ids: &[u32], device: &Device) -> Result<Tensor> {
        match &self.weight {
            Weight::Panels(Product(panels)) => {
                let rows = ids.iter().flat_map(|&id| panels.row(id as usize));
                Tensor::from_vec(rows.collect(), (ids.len(), panels.k()), device)
            }
            Weight::Tensor(weight) => weight.index_select(&Tensor::new(ids, device)?, 0),
        }
    }
}

struct Product(Panels);

impl CustomOp1 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(x, layout)?;
        let (rows, outputs) = (layout.shape().dims2()?.0, self.0.rows());
        let mut out = vec![0f32; rows * outputs];
        self.0.product(x, &mut out, false);
        Ok((CpuStorage::F32(out), Shape::from((rows, outputs))))
    }
}

/// Added to a second operand.
impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product-add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let mut out = contiguous(residual, residual_layout)?.to_vec();
        self.0.product(contiguous(x, layout)?, &mut out, true);
        Ok((CpuStorage::F32(out), residual_layout.shape().clone()))
    }
}

/// The elements of an f32 operand that lies in one piece.
pub(super) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("expected a contiguous {:?} operand", DType::F32),
    }
}

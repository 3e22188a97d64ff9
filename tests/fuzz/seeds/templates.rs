//! Chat templates with what published ones use.

use spindle_fuzz::model;

pub fn all() -> Vec<Vec<u8>> {
    let texts = [
        model::TEMPLATE,
        "{%- for m in messages %}\n    {%- if m.role == 'user' -%}\nU: {{ m.content }}\n    {% else %}\nO: \
         {{ m.content | trim }}\n    {% endif %}\n{% endfor %}",
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}\
         {% set ns.n = ns.n + 1 %}{% if ns.n > 2 %}{% break %}{% endif %}{{ loop.index0 }}{% endfor %}{{ ns.n }}",
        "{%- macro turn(m, end='') -%}<|{{ m.role }}|>{{ m['content'].strip().split('\\n')[-1] ~ end }}{%- endmacro -%}\
         {%- for m in messages -%}{{ turn(m, end=eos_token) }}{%- endfor -%}",
        "{{ messages | tojson(indent=2) }}{{ {'a': [1, 2.5, true, none]} | tojson }}{{ strftime_now('%d %b %Y') }}",
        "{% if messages[0].role != 'system' %}{{ raise_exception('system first') }}{% endif %}",
        "{% generation %}{{ messages[::-1][0].content.upper().title().lstrip('a').replace('a', 'b') }}{% endgeneration %}",
        "{% for i in range(10) %}{% for j in range(i) %}{{ i * j }}{{ 'x' * j }}{% endfor %}{% else %}none{% endfor %}",
        "{% set j = joiner(', ') %}{% set c = cycler('a', 'b') %}{{ j() }}{{ j() }}{{ c.next() }}{{ c.current }}\
         {% set x %}block{% endset %}{% filter upper %}{{ x }}{% endfilter %}{% call turn() %}{% endcall %}",
        "{% if tools is defined and tools is not none and enable_thinking is false %}{{ tools | length }}\
         {% elif 'x' in messages[0].content or not messages %}{{ messages | map(attribute='role') | join(',') }}\
         {% endif %}{# comment #}{% raw %}{{ }}{% endraw %}",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

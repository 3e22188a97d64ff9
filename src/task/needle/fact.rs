//! What needles say: a city and its number.

use rand::Rng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// Real cities. Single words, so that a question names its needle in few tokens.
pub(super) const CITIES: [&str; 72] = [
    "Accra",
    "Amsterdam",
    "Ankara",
    "Athens",
    "Auckland",
    "Baghdad",
    "Baltimore",
    "Bangkok",
    "Barcelona",
    "Beijing",
    "Belgrade",
    "Berlin",
    "Bogota",
    "Boston",
    "Brisbane",
    "Brussels",
    "Bucharest",
    "Budapest",
    "Cairo",
    "Calgary",
    "Caracas",
    "Casablanca",
    "Chicago",
    "Cologne",
    "Copenhagen",
    "Dakar",
    "Dallas",
    "Delhi",
    "Denver",
    "Detroit",
    "Dublin",
    "Edinburgh",
    "Geneva",
    "Glasgow",
    "Hamburg",
    "Hanoi",
    "Havana",
    "Helsinki",
    "Houston",
    "Istanbul",
    "Jakarta",
    "Karachi",
    "Kyoto",
    "Lagos",
    "Lima",
    "Lisbon",
    "London",
    "Madrid",
    "Manila",
    "Marseille",
    "Melbourne",
    "Miami",
    "Milan",
    "Montreal",
    "Moscow",
    "Mumbai",
    "Munich",
    "Nairobi",
    "Naples",
    "Osaka",
    "Oslo",
    "Paris",
    "Prague",
    "Rome",
    "Santiago",
    "Seattle",
    "Seoul",
    "Stockholm",
    "Sydney",
    "Tokyo",
    "Toronto",
    "Vienna",
];

/// A city and its number.
pub(super) struct Fact {
    pub city: &'static str,
    /// A number of five digits.
    pub number: u32,
}

impl Fact {
    /// The needle.
    pub(super) fn sentence(&self) -> String {
        let Self { city, number } = self;
        format!("The special magic number for {city} is {number}.")
    }
}

/// `count` facts with different cities and numbers; at most as many as there are cities.
pub(super) fn draw_facts(rng: &mut ChaCha8Rng, count: usize) -> Vec<Fact> {
    let cities = index::sample(rng, CITIES.len(), count.min(CITIES.len()));
    let mut facts: Vec<Fact> = Vec::with_capacity(count);
    for city in cities {
        let number = loop {
            let number = rng.random_range(10_000..100_000);
            if facts.iter().all(|fact| fact.number != number) {
                break number;
            }
        };
        facts.push(Fact {
            city: CITIES[city],
            number,
        });
    }
    facts
}

//! Keys of needles.

/// Real cities. Single words, so that a question names its needle in few tokens.
pub const CITIES: [&str; 72] = [
    "Accra", "Amsterdam", "Ankara", "Athens", "Auckland", "Baghdad", "Baltimore", "Bangkok",
    "Barcelona", "Beijing", "Belgrade", "Berlin", "Bogota", "Boston", "Brisbane", "Brussels",
    "Bucharest", "Budapest", "Cairo", "Calgary", "Caracas", "Casablanca", "Chicago", "Cologne",
    "Copenhagen", "Dakar", "Dallas", "Delhi", "Denver", "Detroit", "Dublin", "Edinburgh", "Geneva",
    "Glasgow", "Hamburg", "Hanoi", "Havana", "Helsinki", "Houston", "Istanbul", "Jakarta",
    "Karachi", "Kyoto", "Lagos", "Lima", "Lisbon", "London", "Madrid", "Manila", "Marseille",
    "Melbourne", "Miami", "Milan", "Montreal", "Moscow", "Mumbai", "Munich", "Nairobi", "Naples",
    "Osaka", "Oslo", "Paris", "Prague", "Rome", "Santiago", "Seattle", "Seoul", "Stockholm",
    "Sydney", "Tokyo", "Toronto", "Vienna",
];

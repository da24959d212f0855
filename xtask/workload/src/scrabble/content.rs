//! What is inside a game, a move and a player.

use bson::{Bson, DateTime, Decimal128, Document, doc, oid::ObjectId};
use fake::{
    Fake,
    faker::{address::raw::CityName, internet::raw::Username, lorem::en::Word, name::raw::Name},
    locales::{AR_SA, DE_DE, EN, FR_FR, JA_JP, PT_BR, TR_TR, ZH_CN},
};
use rand::{Rng, RngExt, seq::IndexedRandom};

/// The letters of the English edition, as often as they are in the bag, two blanks included.
const BAG: &str = "AAAAAAAAABBCCDDDDEEEEEEEEEEEEFFGGGHHIIIIIIIIIJKLLLLMMNNNNNNOOOOOOOOPPQRRRRRRSSSSTTTTTTUUUUVVWWXYYZ??";

/// Tiles that a player holds, and can lay in one move.
const RACK_SIZE: usize = 7;

/// Rows and columns of the board.
const BOARD_SIZE: usize = 15;

/// Milliseconds from the epoch to 2024-01-01, the first day of the data.
const FIRST_DAY_MS: i64 = 1_704_067_200_000;

/// Two years.
const TIME_SPAN_MS: i64 = 63_158_400_000;

pub(super) fn game(number: i64, rng: &mut impl Rng) -> Document {
    let started = moment(rng);
    let over = rng.random_bool(0.7);
    let finished = over.then(|| later(started, rng.random_range(600_000..5_400_000)));
    doc! {
        "number": number,
        "players": [seat(rng), seat(rng)],
        "board": board(rng),
        "tiles_left": if over { 0 } else { rng.random_range(1..=86) },
        "started": started,
        "finished": finished,
        "rated": rng.random_bool(0.8),
        "tournament": {
            "id": ObjectId::from_bytes(rng.random()),
            "city": CityName(EN).fake_with_rng::<String, _>(rng),
            "round": rng.random_range(1..=12),
        },
        "prize": money(rng),
    }
}

pub(super) fn game_move(number: i64, rng: &mut impl Rng) -> Document {
    let word = word(rng);
    let tiles: Vec<Bson> = word
        .chars()
        .take(RACK_SIZE)
        .map(|letter| doc! { "letter": letter.to_string(), "points": points(letter) }.into())
        .collect();
    let score: i32 = word.chars().map(points).sum::<i32>() * rng.random_range(1..=3);
    let (row, column) = (rng.random_range(1..=15), rng.random_range(b'A'..=b'O'));
    doc! {
        "game": number / 23,
        "number": rng.random_range(1..=40),
        "player": name(rng),
        "kind": *["play", "play", "play", "exchange", "pass"].choose(rng).expect("not empty"),
        "word": word,
        "at": { "row": row, "column": char::from(column).to_string(), "across": rng.random_bool(0.5) },
        "tiles": tiles,
        "score": score,
        "total": i64::from(score) + rng.random_range(0..400_i64),
        "bonus": f64::from(rng.random_range(0..40)) / 4.0,
        "challenged_by": rng.random_bool(0.1).then(|| name(rng)),
        "clock_ms": rng.random_range(1_000..1_500_000_i64),
        "played": moment(rng),
    }
}

pub(super) fn player(number: i64, rng: &mut impl Rng) -> Document {
    let words: Vec<String> = (0..rng.random_range(2..=5)).map(|_| word(rng)).collect();
    doc! {
        "number": number,
        "name": name(rng),
        "username": Username(EN).fake_with_rng::<String, _>(rng),
        "club": { "city": CityName(EN).fake_with_rng::<String, _>(rng), "since": rng.random_range(1950..=2023) },
        "rating": f64::from(rng.random_range(80_000..220_000)) / 100.0,
        "games": rng.random_range(0..20_000_i64),
        "best_words": words,
        "titles": [],
        "retired": Bson::Null,
        "active": rng.random_bool(0.9),
        "balance": money(rng),
        "joined": moment(rng),
    }
}

/// A player at the board.
fn seat(rng: &mut impl Rng) -> Document {
    let tiles: String = (0..RACK_SIZE).map(|_| letter(rng)).collect();
    doc! { "name": name(rng), "score": rng.random_range(0..=600), "rack": tiles }
}

/// A name from one of many countries, so that text beyond ASCII is everyday.
fn name(rng: &mut impl Rng) -> String {
    match rng.random_range(0..8) {
        0 => Name(AR_SA).fake_with_rng(rng),
        1 => Name(DE_DE).fake_with_rng(rng),
        2 => Name(FR_FR).fake_with_rng(rng),
        3 => Name(JA_JP).fake_with_rng(rng),
        4 => Name(PT_BR).fake_with_rng(rng),
        5 => Name(TR_TR).fake_with_rng(rng),
        6 => Name(ZH_CN).fake_with_rng(rng),
        _ => Name(EN).fake_with_rng(rng),
    }
}

/// The rows from the top, divided by `/`; a number stands for that many empty squares.
fn board(rng: &mut impl Rng) -> String {
    let rows: Vec<String> = (0..BOARD_SIZE)
        .map(|_| {
            if rng.random_bool(0.5) {
                return BOARD_SIZE.to_string();
            }
            let word = word(rng);
            let before = rng.random_range(0..=BOARD_SIZE - word.len());
            let after = BOARD_SIZE - word.len() - before;
            format!("{}{word}{}", squares(before), squares(after))
        })
        .collect();
    rows.join("/")
}

fn squares(empty: usize) -> String {
    if empty == 0 {
        String::new()
    } else {
        empty.to_string()
    }
}

/// A word that fits on the board.
fn word(rng: &mut impl Rng) -> String {
    let word: String = Word().fake_with_rng(rng);
    word.to_uppercase()
        .chars()
        .filter(char::is_ascii_uppercase)
        .take(BOARD_SIZE)
        .collect()
}

fn letter(rng: &mut impl Rng) -> char {
    char::from(*BAG.as_bytes().choose(rng).expect("the bag is not empty"))
}

fn points(letter: char) -> i32 {
    match letter {
        'D' | 'G' => 2,
        'B' | 'C' | 'M' | 'P' => 3,
        'F' | 'H' | 'V' | 'W' | 'Y' => 4,
        'K' => 5,
        'J' | 'X' => 8,
        'Q' | 'Z' => 10,
        _ => 1,
    }
}

fn money(rng: &mut impl Rng) -> Bson {
    let text = format!(
        "{}.{:02}",
        rng.random_range(0..5_000),
        rng.random_range(0..100)
    );
    let amount: Decimal128 = text.parse().expect("digits and a point are a decimal");
    amount.into()
}

fn moment(rng: &mut impl Rng) -> DateTime {
    let mut millis = FIRST_DAY_MS + rng.random_range(0..TIME_SPAN_MS);
    if rng.random_bool(0.2) {
        // Whole seconds are written differently.
        millis -= millis % 1_000;
    }
    DateTime::from_millis(millis)
}

fn later(moment: DateTime, millis: i64) -> DateTime {
    DateTime::from_millis(moment.timestamp_millis() + millis)
}

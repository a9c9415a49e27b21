//! The scale: its driver against a scale at the far end of a pseudo-terminal, and the weight at the till's door.

use std::{
    fs::File,
    io::{Read, Write},
    os::unix::fs::symlink,
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use saoma_edge::{
    config::Parity,
    peripherals::{
        PeripheralError, PeripheralState, Scale,
        scale::{Grams, Weighing, mt8217::Mt8217},
    },
};
use serde_json::json;

use crate::{
    peripherals_wires::pseudo_terminal,
    shop::{Shop, fresh_key, nothing, until},
};

/// `W` with even parity.
const QUESTION: u8 = 0xd7;

/// What a scale sends, with its parity bits: `answer` between STX and CR.
fn sent(answer: &str) -> Vec<u8> {
    let characters = [&[2], answer.as_bytes(), b"\r"].concat();
    let odd = |character: &u8| character.count_ones() % 2 == 1;
    characters.into_iter().map(|character| if odd(&character) { character | 0x80 } else { character }).collect()
}

/// A scale that answers each question with the next of these pieces, each after its pause; the last one for ever. The questions
/// that came, with their times, come out.
fn answers(mut far_end: File, pieces: Vec<Vec<(Duration, Vec<u8>)>>) -> Receiver<(u8, Instant)> {
    let (asked, questions) = channel();
    thread::spawn(move || {
        let mut number = 0;
        let mut byte = [0];
        while let Ok(1) = far_end.read(&mut byte) {
            if asked.send((byte[0], Instant::now())).is_err() {
                return;
            }
            for (pause, bytes) in pieces.get(number).or(pieces.last()).into_iter().flatten() {
                thread::sleep(*pause);
                if far_end.write_all(bytes).is_err() {
                    return;
                }
            }
            number += 1;
        }
    });
    questions
}

fn at_once(answer: &str) -> Vec<(Duration, Vec<u8>)> {
    vec![(Duration::ZERO, sent(answer))]
}

fn scale_at(path: &Path) -> Mt8217 {
    Mt8217::new(path.to_str().unwrap(), 9_600, Parity::Even)
}

const fn stable(grams: u32) -> Weighing {
    Weighing::Stable { grams: Grams(grams), net: false }
}

#[test]
fn a_scale_is_asked_and_answers() {
    let (master, path, _slave) = pseudo_terminal();
    let in_pieces =
        |answer: &str| sent(answer).into_iter().map(|byte| (Duration::from_millis(20), vec![byte])).collect();
    let questions = answers(
        master,
        vec![at_once("01.250"), at_once("?A"), in_pieces("00.080N"), at_once("?B"), at_once("?D"), at_once("?H")],
    );
    let mut scale = scale_at(&path);
    assert_eq!(scale.driver(), "mt8217");
    assert_eq!(scale.weigh(), Ok(stable(1_250)));
    assert_eq!(scale.weigh(), Ok(Weighing::InMotion));
    assert_eq!(scale.weigh(), Ok(Weighing::Stable { grams: Grams(80), net: true }));
    assert_eq!(scale.weigh(), Ok(Weighing::OverCapacity));
    assert_eq!(scale.weigh(), Ok(Weighing::UnderZero));
    let health = scale.health();
    assert_eq!(health.state, PeripheralState::Warning, "{}", health.detail);
    drop(scale);
    let questions: Vec<_> = questions.try_iter().collect();
    assert!(questions.len() == 6 && questions.iter().all(|(question, _)| *question == QUESTION), "{questions:?}");
    let pauses = questions.windows(2).map(|pair| pair[1].1 - pair[0].1);
    assert!(pauses.min().unwrap() >= Duration::from_millis(190), "the scale gets its time between two questions");
}

#[test]
fn a_garbled_answer_is_asked_for_again() {
    let (master, path, _slave) = pseudo_terminal();
    let mut damaged = sent("01.250");
    damaged[3] ^= 0x04;
    let garbled = vec![(Duration::ZERO, damaged)];
    let cut_off = vec![(Duration::ZERO, sent("01.250")[..4].to_vec()), (Duration::from_millis(50), sent("01.300"))];
    let _questions = answers(master, vec![garbled.clone(), at_once("01.250"), cut_off, garbled]);
    let mut scale = scale_at(&path);
    assert_eq!(scale.weigh(), Ok(stable(1_250)));
    assert_eq!(scale.weigh(), Ok(stable(1_300)));
    // For ever: that is a setting, not noise.
    let error = scale.weigh().unwrap_err();
    assert!(matches!(&error, PeripheralError::Unable { why, .. } if why.contains("parity")), "{error}");
    assert_eq!(scale.health().state, PeripheralState::Failed);
}

#[test]
fn a_scale_that_says_nothing_or_half_an_answer_is_silent() {
    let (master, path, _slave) = pseudo_terminal();
    let _questions =
        answers(master, vec![vec![], vec![(Duration::ZERO, sent("01.250")[..6].to_vec())], at_once("00.500")]);
    let mut scale = scale_at(&path);
    let device = format!("the scale at {}", path.display());
    for _ in 0..2 {
        let began = Instant::now();
        assert_eq!(scale.weigh(), Err(PeripheralError::Silent { device: device.clone() }));
        assert!(began.elapsed() < Duration::from_secs(3));
    }
    assert_eq!(scale.weigh(), Ok(stable(500)));
}

#[test]
fn a_late_answer_is_not_taken_for_the_next_goods() {
    // Before the next question, and when that has been asked already.
    for late in [Duration::from_millis(1_100), Duration::from_millis(1_400)] {
        let (master, path, _slave) = pseudo_terminal();
        let _questions = answers(master, vec![vec![(late, sent("09.999"))], at_once("00.500")]);
        let mut scale = scale_at(&path);
        assert!(matches!(scale.weigh(), Err(PeripheralError::Silent { .. })));
        assert_eq!(scale.weigh(), Ok(stable(500)), "{late:?}");
    }
}

#[test]
fn a_scale_in_pounds_is_refused_in_words() {
    let (master, path, _slave) = pseudo_terminal();
    let _questions = answers(master, vec![at_once("02.76")]);
    let error = scale_at(&path).weigh().unwrap_err();
    assert!(matches!(&error, PeripheralError::Unable { why, .. } if why.contains("set it to kilograms")), "{error}");
}

#[test]
fn a_scale_that_is_pulled_out_and_put_in_again_weighs_again() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("ttyUSB1");
    let (master, path, slave) = pseudo_terminal();
    symlink(&path, &link).unwrap();
    let mut scale = scale_at(&link);
    let questions = answers(master.try_clone().unwrap(), vec![at_once("01.250")]);
    assert_eq!(scale.weigh(), Ok(stable(1_250)));
    drop(questions);
    // The name goes first: the system gives a closed terminal's number to whoever asks next, which may be another test.
    std::fs::remove_file(&link).unwrap();
    // The scale's end closes once its thread has seen that nobody listens to it any more.
    drop((master, slave));
    let error = scale.weigh().unwrap_err();
    assert!(matches!(error, PeripheralError::Unreachable { .. }), "{error}");
    assert_eq!(scale.health().state, PeripheralState::Failed);

    let (master, path, _slave) = pseudo_terminal();
    symlink(&path, &link).unwrap();
    let _questions = answers(master, vec![at_once("02.000")]);
    assert_eq!(scale.weigh(), Ok(stable(2_000)));
    assert_eq!(scale.health().state, PeripheralState::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_till_tells_the_weight() {
    let shop = Shop::open_with(|config, folder| {
        config.peripherals.scale = "simulated".to_owned();
        config.peripherals.scale_device = folder.join("scale").to_str().unwrap().to_owned();
    })
    .await;
    let scale = shop.folder.path().join("scale");
    std::fs::write(&scale, "1250").unwrap();
    assert_eq!(shop.till.get("/api/scale").await, json!({"state": "stable", "grams": 1250, "net": false}));
    std::fs::write(&scale, "in motion").unwrap();
    assert_eq!(shop.till.get("/api/scale").await, json!({"state": "in_motion"}));
    std::fs::write(&scale, "gone").unwrap();
    let tested = shop.till.post("/api/peripherals/scale/self-test", &nothing(), &fresh_key()).await;
    assert_eq!((tested.status.as_u16(), &tested.body["code"]), (503, &json!("peripheral_failed")));
    until("the scale's failure", async || {
        let state = shop.till.get("/api/state").await;
        let failed = |device: &serde_json::Value| device["kind"] == "scale" && device["state"] == "failed";
        state["peripherals"].as_array().unwrap().iter().any(failed).then_some(())
    })
    .await;
    // Sales go on without it.
    shop.till.sell(json!({"amount_minor": 500, "method": "cash"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_without_a_scale_says_so() {
    let shop = Shop::open().await;
    let (status, body) = shop.till.call(reqwest::Method::GET, "/api/scale", &[], None).await;
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("peripheral_failed")), "{problem}");
}

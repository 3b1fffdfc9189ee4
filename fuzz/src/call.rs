//! Calls over a session.

use std::time::Duration;

use meshwork_protocols::live::call::{CallEvent, CallFrame, CallPath, Calls, MAX_CALLS, Refusal};
use meshwork_protocols::time::Timestamp;

/// A frame about a call has one encoding.
pub fn call_frame(data: &[u8]) {
    let Ok(frame) = CallFrame::decode(data) else { return };
    assert_eq!(frame.encode(), data);
}

/// Whatever frames come, each behind its length in two bytes, on either kind of path: no more calls
/// run than may, what ends had begun, and in the end nothing is left.
pub fn calls(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else { return };
    let path = CallPath { reliable: first % 2 == 0, max_frame: 1 << 16 };
    let mut now = Timestamp::default();
    let mut calls = Calls::new(path);
    let service = "echo".parse().expect("a name");
    let ours = calls.call(now, service, vec![1], Duration::from_secs(9)).expect("there is room");
    let (mut running, mut ended) = (Vec::new(), false);
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (frame, behind) = behind.split_at(length);
        rest = behind;
        now = now + Duration::from_millis(u64::from(first));
        let sound = calls.receive(now, frame).is_ok();
        calls.handle_timeout(now);
        while let Some(event) = calls.poll() {
            match event {
                CallEvent::Asked { call, .. } => running.push(call),
                CallEvent::Withdrawn(call) => {
                    assert!(running.contains(&call));
                    running.retain(|other| *other != call);
                }
                CallEvent::Ended { call, .. } => {
                    assert!(call == ours && !ended);
                    ended = true;
                }
                _ => {}
            }
        }
        assert!(running.len() <= MAX_CALLS);
        if frame.len() % 3 == 0
            && let Some(call) = running.pop()
        {
            calls.answer(call, Ok(vec![7]));
        }
        while let Some(frame) = calls.poll_transmit(now) {
            assert!(CallFrame::decode(&frame).is_ok());
        }
        if !sound {
            break;
        }
    }
    calls.end();
    assert!(calls.next_timeout().is_none() && calls.poll_transmit(now).is_none());
}

fn said() -> Vec<(&'static str, CallFrame)> {
    let service = "echo".parse().expect("a name");
    let remaining = Duration::from_secs(3);
    vec![
        ("request", CallFrame::Request { id: 4, lowest: 3, service, remaining, body: vec![1, 2] }),
        ("answer", CallFrame::Answer { id: 0, body: vec![3] }),
        ("refused", CallFrame::Refused { id: 0, refusal: Refusal::NoSuchService }),
        ("cancel", CallFrame::Cancel { id: 4 }),
        ("taken", CallFrame::Taken { id: 0 }),
        ("settled", CallFrame::Settled { id: 4 }),
    ]
}

pub(crate) fn frames() -> Vec<(&'static str, Vec<u8>)> {
    said().into_iter().map(|(name, frame)| (name, frame.encode())).collect()
}

/// All of them in one conversation, on either kind of path.
pub(crate) fn conversations() -> Vec<(&'static str, Vec<u8>)> {
    let behind_lengths = said().into_iter().flat_map(|(_, frame)| {
        let frame = frame.encode();
        let length = u16::try_from(frame.len()).expect("they are short");
        [length.to_be_bytes().to_vec(), frame].concat()
    });
    let all: Vec<u8> = behind_lengths.collect();
    [("reliable", 0), ("lossy", 1)]
        .map(|(name, first)| (name, [&[first], all.as_slice()].concat()))
        .to_vec()
}

//! Any octets as a capture file. Reading ends, its tally adds up, and nothing longer than the file comes out.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Some(opened) = flowglass_fuzz::capture(octets) else { return };
    let mut capture = match opened {
        Ok(capture) => capture,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let (mut datagrams, mut payload, mut faults) = (0, 0, 0);
    for item in capture.by_ref() {
        assert_eq!(faults, 0, "something came behind an error");
        match item {
            Ok(datagram) => {
                datagrams += 1;
                payload += datagram.payload.len();
            }
            Err(error) => {
                faults += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    let tally = capture.tally();
    assert_eq!(datagrams, tally.datagrams);
    assert!(payload <= octets.len(), "{payload} octets of payload in {}", octets.len());
    let sum = tally.datagrams + tally.fragments + tally.other + tally.headless + tally.unread;
    assert_eq!(tally.frames, sum);
    assert!(tally.cut <= tally.datagrams);
    let (read, total) = capture.progress();
    assert!(read <= total && total == octets.len() as u64, "{read} of {total}, {}", octets.len());
});

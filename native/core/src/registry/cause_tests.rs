use super::*;

const ALL: [Why; 18] = [
    Why::CloseFrame,
    Why::EndOfStream,
    Why::TransportError,
    Why::TlsError,
    Why::ClientUnresponsive,
    Why::OriginUnresponsive,
    Why::IdleTimeout,
    Why::MaxAge,
    Why::ReadStalled,
    Why::WriteStalled,
    Why::MessageTooBig,
    Why::RateExceeded,
    Why::MessageRule,
    Why::ProtocolError,
    Why::ClosedByOperator,
    Why::Release,
    Why::Drain,
    Why::EdgeStopping,
];

#[test]
fn a_reason_has_one_name_wherever_it_is_told() {
    for why in ALL {
        assert_eq!(serde_json::to_value(why).unwrap(), why.name());
    }
    assert_eq!(Why::MaxAge.reason("it is old"), "max_age: it is old");
}

#[test]
fn every_reason_has_a_word_and_a_source_of_the_original_s() {
    let said = |by, why: Why| {
        let cause = Cause::new(by, why);
        (
            serde_json::to_value(cause.close_reason()).unwrap(),
            serde_json::to_value(cause.close_source()).unwrap(),
        )
    };
    for (by, why, reason, source) in [
        (ClosedBy::Client, Why::CloseFrame, "none", "downstream"),
        (ClosedBy::Origin, Why::EndOfStream, "peerNoError", "upstream"),
        (ClosedBy::Client, Why::TransportError, "peerReset", "downstream"),
        (ClosedBy::Origin, Why::TransportError, "upstreamReset", "upstream"),
        (ClosedBy::Client, Why::TlsError, "protocolViolation", "downstream"),
        (ClosedBy::Edge, Why::OriginUnresponsive, "timedOut", "me"),
        (ClosedBy::Edge, Why::MaxAge, "timedOut", "me"),
        (ClosedBy::Edge, Why::RateExceeded, "protocolViolation", "me"),
        (ClosedBy::Edge, Why::Release, "none", "me"),
    ] {
        assert_eq!(said(by, why), (reason.into(), source.into()), "{why:?}");
    }
}

#[test]
fn what_the_transport_said_decides_which_error_it_is() {
    for (kind, reason) in [
        (std::io::ErrorKind::ConnectionReset, CloseReason::PeerReset),
        (std::io::ErrorKind::BrokenPipe, CloseReason::PeerReset),
        (std::io::ErrorKind::TimedOut, CloseReason::TimedOut),
        (std::io::ErrorKind::HostUnreachable, CloseReason::UnspecifiedError),
    ] {
        let cause = Cause {
            detail: Some(kind.to_string()),
            ..Cause::new(ClosedBy::Client, Why::TransportError)
        };
        assert_eq!(cause.close_reason(), reason, "{kind}");
    }
}

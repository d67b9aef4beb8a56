use super::*;

fn parse(names: &[&str], min: &str, max: &str, ciphers: &[&str]) -> Result<TlsRule, String> {
    let owned = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
    TlsRule::parse(owned(names), min, max, &owned(ciphers))
}

#[test]
fn what_cannot_be_met_is_refused_by_the_argument_s_name() {
    let good = "ECDHE-RSA-AES128-GCM-SHA256";
    for (names, min, max, ciphers, argument) in [
        (&[][..], "1.2", "1.3", &[][..], "names"),
        (&["a b"], "1.2", "1.3", &[], "names"),
        (&["a.*.b"], "1.2", "1.3", &[], "names"),
        (&["a"], "1.1", "1.3", &[], "min_version"),
        (&["a"], "", "1.3", &[], "min_version"),
        (&["a"], "1.2", "1.4", &[], "max_version"),
        (&["a"], "1.3", "1.2", &[], "min_version"),
        (&["a"], "1.2", "1.2", &[good, "AES128-SHA"], "ciphers"),
        (&["a"], "1.3", "1.3", &["TLS_AES_128_GCM_SHA256"], "ciphers"),
        (&["a"], "1.2", "1.3", &["ecdhe-rsa-aes128-gcm-sha256"], "ciphers"),
    ] {
        let fault = parse(names, min, max, ciphers).unwrap_err();
        assert!(fault.starts_with(&format!("{argument}: expected ")), "{fault}");
    }
}

#[test]
fn what_demands_the_same_is_the_same() {
    let all: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
    let reversed: Vec<&str> = all.iter().rev().copied().collect();
    for (one, other) in [
        (parse(&["a"], "1.2", "1.3", &[]), parse(&["b"], "1.2", "1.3", &all)),
        (
            parse(&["a"], "1.2", "1.2", &all[..2]),
            parse(&["a"], "1.2", "1.2", &reversed[4..]),
        ),
        (parse(&["a"], "1.3", "1.3", &all[..1]), parse(&["a"], "1.3", "1.3", &[])),
    ] {
        assert_eq!(one.unwrap().requirement, other.unwrap().requirement);
    }
}

#[test]
fn each_suite_of_tls_1_2_that_we_have_can_be_named() {
    let ours = PROVIDER.cipher_suites.iter().filter(|suite| suite.tls13().is_none());
    let mut ours: Vec<u16> = ours.map(|suite| suite.suite().into()).collect();
    let mut named: Vec<u16> = SUITES.iter().map(|(_, suite)| (*suite).into()).collect();
    ours.sort_unstable();
    named.sort_unstable();
    assert_eq!(ours, named);
}

#[test]
fn a_provider_has_the_suites_of_its_rule_and_those_of_tls_1_3() {
    let rule = parse(&["a"], "1.2", "1.3", &["ECDHE-RSA-AES256-GCM-SHA384"]).unwrap();
    let suites = rule.requirement.provider().cipher_suites;
    let old: Vec<CipherSuite> = suites
        .iter()
        .filter(|suite| suite.tls13().is_none())
        .map(rustls::SupportedCipherSuite::suite)
        .collect();
    assert_eq!(old, [CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]);
    assert_eq!(suites.len() - old.len(), 3);
}

#[test]
fn names_are_lower_case() {
    let rule = parse(&["A.Test", "*.B.test."], "1.2", "1.3", &[]).unwrap();
    assert_eq!(rule.names(), ["a.test", "*.b.test"]);
}

//! A checker that lets a broken agent pass is worth nothing: each is caught.

#![allow(clippy::panic, clippy::print_stdout, reason = "a test may")]

use meshwork_simulator::broken::Broken;
use meshwork_simulator::checker::Violation;
use meshwork_simulator::{Options, Scenario, run};

/// The first seed, dealt over the scenarios, that shows how an agent is broken.
fn caught(broken: Broken) -> Violation {
    for seed in 0..1_000 {
        let options = Options { broken: Some(broken), ..Options::default() };
        let scenario = Scenario::of(seed);
        if let Some(violation) = run(scenario, seed, options).violation {
            println!("{broken:?} is caught by seed {seed} of {scenario}: {violation}");
            return violation;
        }
    }
    panic!("{broken:?} passes 1,000 seeds");
}

#[test]
fn who_releases_before_the_commit_is_caught() {
    let violation = caught(Broken::ReleasesBeforeTheCommit);
    assert!(matches!(
        violation,
        Violation::ToldBeforeDurable { .. } | Violation::AcknowledgedBeforeDurable { .. }
    ));
}

#[test]
fn who_takes_a_failed_commit_for_a_good_one_is_caught() {
    caught(Broken::IgnoresFailedCommits);
}

#[test]
fn who_loses_what_a_commit_released_is_caught() {
    caught(Broken::DropsOutputs);
}

#[test]
fn who_tells_no_witness_does_not_notice_a_restore() {
    assert!(matches!(caught(Broken::TellsNoWitness), Violation::RestoreNotSeen { .. }));
}

#[test]
fn who_tells_the_witness_early_takes_a_crash_for_a_restore() {
    let violation = caught(Broken::TellsTheWitnessEarly);
    assert!(matches!(violation, Violation::CrashTakenForRestore { .. }));
}

#[test]
fn who_sends_the_same_datagram_again_is_caught() {
    assert!(matches!(caught(Broken::EchoesDatagrams), Violation::SentAsItWas { .. }));
}

#[test]
fn who_forgets_the_inbox_is_caught() {
    caught(Broken::ForgetsInbox);
}

#[test]
fn who_forgets_what_was_seen_takes_a_message_twice() {
    assert!(matches!(caught(Broken::ForgetsSeen), Violation::CameTwice { .. }));
}

#[test]
fn who_forgets_what_waits_for_its_turn_is_caught() {
    caught(Broken::ForgetsGaps);
}

#[test]
fn who_keeps_sessions_late_uses_a_key_twice() {
    assert!(matches!(caught(Broken::KeepsSessionsLate), Violation::KeyReused(_)));
}

#[test]
fn who_goes_on_with_a_restored_session_uses_a_key_twice() {
    assert!(matches!(caught(Broken::ArchivesNothing), Violation::KeyReused(_)));
}

#[test]
fn who_draws_the_same_after_a_restart_is_caught() {
    caught(Broken::RandomnessRepeats);
}

/// Of the seeds of one scenario, where few others would show it.
fn caught_in(scenario: Scenario, broken: Broken) -> Violation {
    let options = Options { broken: Some(broken), ..Options::default() };
    let violation = (0..100).find_map(|seed| run(scenario, seed, options).violation);
    violation.unwrap_or_else(|| panic!("{broken:?} passes 100 seeds of {scenario}"))
}

#[test]
fn who_lets_a_relay_forget_mail_before_it_is_durable_is_caught() {
    let violation = caught_in(Scenario::Relays, Broken::AcknowledgesMailAtOnce);
    assert!(matches!(violation, Violation::MailAcknowledgedBeforeDurable { .. }));
}

#[test]
fn a_relay_that_answers_before_it_is_durable_is_caught() {
    let violation = caught_in(Scenario::Relays, Broken::RelayAnswersEarly);
    println!("{violation}");
    assert!(matches!(
        violation,
        Violation::MailLost { .. }
            | Violation::MailNumberTwice { .. }
            | Violation::KeyGivenTwice { .. }
    ));
}

#[test]
fn who_lets_out_what_is_sealed_for_a_group_before_it_is_durable_is_caught() {
    let violation = caught_in(Scenario::Fleets, Broken::ReleasesBeforeTheCommit);
    println!("{violation}");
    assert!(matches!(
        violation,
        Violation::AppendedBeforeDurable { .. }
            | Violation::ToldBeforeDurable { .. }
            | Violation::AcknowledgedBeforeDurable { .. }
    ));
}

#[test]
fn who_keeps_the_keys_of_groups_late_is_caught() {
    let violation = caught_in(Scenario::Fleets, Broken::KeepsGroupsLate);
    println!("{violation}");
}

#[test]
fn a_group_that_puts_no_commit_back_does_not_heal() {
    let violation = caught_in(Scenario::Fleets, Broken::PutsNoCommitBack);
    println!("{violation}");
    assert!(matches!(violation, Violation::HealedLate { .. }));
}

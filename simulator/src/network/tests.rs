use super::*;

const A: Host = Host(0);
const B: Host = Host(1);

struct Setting {
    network: Network,
    queue: Queue<InTransit>,
}

impl Setting {
    fn new(faults: NetworkFaults) -> Self {
        let (mut network, mut queue) = (Network::new(Seeded::new(1), faults), Queue::new());
        network.turn_on(A, &mut queue);
        network.turn_on(B, &mut queue);
        Self { network, queue }
    }

    /// Everything that arrives within `span`.
    fn run(&mut self, span: Duration) -> Vec<(Host, Arrival)> {
        let end = self.queue.now() + span;
        let mut arrivals = Vec::new();
        while let Some(parcel) = self.queue.take(end) {
            arrivals.extend(self.network.arrive(parcel, &mut self.queue));
        }
        arrivals
    }

    fn connected(&mut self) -> StreamId {
        let stream = self.network.call(A, B, &mut self.queue);
        let arrivals = self.run(SHORT);
        assert_eq!(arrivals[0], (B, Arrival::Call { stream, from: A }));
        assert_eq!(arrivals[1], (A, Arrival::Answered(stream)));
        stream
    }

    fn write(&mut self, from: Host, stream: StreamId, bytes: &[u8]) {
        self.network.write(from, stream, bytes.to_vec(), &mut self.queue);
    }
}

const SHORT: Duration = Duration::from_secs(3);
const LONG: Duration = Duration::from_secs(60);

fn bytes_at(host: Host, arrivals: &[(Host, Arrival)]) -> Vec<u8> {
    let at_host = arrivals.iter().filter(|(to, _)| *to == host);
    at_host
        .filter_map(|(_, arrival)| match arrival {
            Arrival::Bytes { bytes, .. } => Some(bytes.clone()),
            _ => None,
        })
        .flatten()
        .collect()
}

#[test]
fn a_stream_keeps_its_order_over_loss_splitting_and_a_partition() {
    let faults = NetworkFaults { loss: 300, splitting: 500, ..NetworkFaults::CALM };
    let mut setting = Setting::new(faults);
    let stream = setting.connected();
    let sent: Vec<u8> = (0..200).collect();
    let mut arrivals = Vec::new();
    for (number, bytes) in sent.chunks(4).enumerate() {
        if number == 10 {
            setting.network.cut(&[A], &[B], false);
        }
        setting.write(A, stream, bytes);
        if number == 40 {
            setting.network.heal();
        }
        arrivals.extend(setting.run(Duration::from_millis(100)));
    }
    arrivals.extend(setting.run(SHORT));
    assert_eq!(bytes_at(B, &arrivals), sent);
}

#[test]
fn a_stream_breaks_where_nothing_passes_for_long() {
    let mut setting = Setting::new(NetworkFaults::CALM);
    let stream = setting.connected();
    setting.network.cut(&[A], &[B], false);
    setting.write(A, stream, b"lost");
    assert_eq!(setting.run(SHORT), []);
    assert_eq!(setting.run(LONG), [(A, Arrival::Ended(stream))]);
}

#[test]
fn a_closed_stream_ends_behind_what_was_written() {
    let mut setting = Setting::new(NetworkFaults::CALM);
    let stream = setting.connected();
    setting.write(A, stream, b"last words");
    setting.network.hang_up(A, stream, &mut setting.queue);
    let arrivals = setting.run(SHORT);
    assert_eq!(bytes_at(B, &arrivals), b"last words");
    assert_eq!(arrivals.last(), Some(&(B, Arrival::Ended(stream))));
}

#[test]
fn a_killed_process_is_noticed_at_once_and_a_power_loss_at_the_next_write() {
    let mut setting = Setting::new(NetworkFaults::CALM);
    let (first, second) = (setting.connected(), setting.connected());
    setting.network.turn_off(B, false, &mut setting.queue);
    assert_eq!(setting.run(LONG), []);
    setting.network.turn_on(B, &mut setting.queue);
    setting.write(A, first, b"are you there?");
    assert_eq!(setting.run(SHORT), [(A, Arrival::Ended(first))]);
    setting.network.turn_off(A, true, &mut setting.queue);
    assert_eq!(setting.run(SHORT), [], "B lost its end of the second too");
    setting.network.turn_on(A, &mut setting.queue);
    setting.write(A, second, b"gone");
    assert_eq!(setting.run(LONG), []);

    let third = setting.connected();
    setting.network.turn_off(A, true, &mut setting.queue);
    assert_eq!(setting.run(SHORT), [(B, Arrival::Ended(third))]);
}

#[test]
fn nobody_answers_for_a_host_that_is_off() {
    let mut setting = Setting::new(NetworkFaults::CALM);
    setting.network.turn_off(B, false, &mut setting.queue);
    let stream = setting.network.call(A, B, &mut setting.queue);
    assert_eq!(setting.run(LONG), [(A, Arrival::Ended(stream))]);
}

#[test]
fn datagrams_are_lost_doubled_and_reordered_and_a_calm_network_does_none_of_it() {
    let send = |faults| {
        let mut setting = Setting::new(faults);
        for number in 0..200 {
            setting.network.send_datagram(A, B, vec![number], &mut setting.queue);
        }
        setting
            .run(LONG)
            .into_iter()
            .map(|(_, arrival)| match arrival {
                Arrival::Datagram { from: A, bytes } => bytes[0],
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    let stormy = send(NetworkFaults { loss: 300, duplication: 300, ..NetworkFaults::CALM });
    let counts = (0..200).map(|n| stormy.iter().filter(|m| **m == n).count()).collect::<Vec<_>>();
    assert!(counts.contains(&0) && counts.contains(&2) && !stormy.is_sorted());
    let mut calm = send(NetworkFaults::CALM);
    calm.sort_unstable();
    assert_eq!(calm, (0..200).collect::<Vec<_>>());
}

#[test]
fn mail_waits_for_a_host_that_is_off_or_cut_off() {
    let mut setting = Setting::new(NetworkFaults::CALM);
    setting.network.turn_off(B, true, &mut setting.queue);
    setting.network.send_mail(A, B, b"one".to_vec(), &mut setting.queue);
    assert_eq!(setting.run(LONG), []);
    setting.network.turn_on(B, &mut setting.queue);
    setting.network.cut(&[A], &[B], true);
    assert_eq!(setting.run(LONG), []);
    setting.network.heal();
    let mail = Arrival::Mail { from: A, bytes: b"one".to_vec() };
    assert_eq!(setting.run(LONG), [(B, mail)]);
}

//! The same over UDP, for ten seconds: first messages, handshakes that end under random keys and
//! then nothing, Hellos that never end, and garbage.

use std::net::UdpSocket;
use std::thread;

use meshwork_protocols::live::admission::{Admission, Limits};
use meshwork_protocols::live::udp::{MAX_DATAGRAM, Transmit, UdpEndpoint};
use meshwork_protocols::random::Random;

use super::*;

/// How long one stranger goes on.
const EACH: Duration = Duration::from_millis(40);

/// How many first messages one sends at once.
const FIRST_MESSAGES: u32 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_datagrams_from_one_prefix_takes_three_mebibytes() {
    flooded_from(|number| Ipv4Addr::new(127, 0, 0, low_byte(number)), OF_ONE_KIB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_datagrams_from_everywhere_takes_24_mebibytes() {
    let anywhere = |number: u32| {
        let [_, high, middle, low] = number.wrapping_mul(2_654_435_761).to_be_bytes();
        Ipv4Addr::new(127, high, middle, low.max(1))
    };
    flooded_from(anywhere, OF_ALL_KIB).await;
}

fn low_byte(number: u32) -> u8 {
    u8::try_from(2 + number % 250).unwrap()
}

async fn flooded_from(address: fn(u32) -> Ipv4Addr, growth_kib: u64) {
    let alice = Agent::builder().in_memory().transports(&[Transport::Udp]).start().await.unwrap();
    let (child, card) = spawn(&alice.card(), TO_BE_FLOODED);
    let card = Arc::new(card);
    alice.meet(Arc::clone(&card)).await.unwrap();
    // Until all that a first message takes is there.
    for _ in 0..20 {
        send(&alice, card.agent()).await;
    }
    let before = resident_kib(&child.process);

    let came = Arc::new(AtomicU32::new(0));
    let place = place(&card);
    let floods: Vec<_> = (0..2)
        .map(|thread| {
            let (card, came) = (Arc::clone(&card), Arc::clone(&came));
            thread::spawn(move || flood(thread, place, &card, address, &came))
        })
        .collect();
    let (mut delivered, mut most) = (0_u32, before);
    while floods.iter().any(|flood| !flood.is_finished()) {
        send(&alice, card.agent()).await;
        delivered += 1;
        most = most.max(resident_kib(&child.process));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for flood in floods {
        flood.join().unwrap();
    }
    send(&alice, card.agent()).await;
    println!(
        "{} strangers came; {delivered} messages were delivered meanwhile; resident memory went \
         from {before} KiB to at most {most} KiB",
        came.load(Ordering::Relaxed)
    );
    assert!(came.load(Ordering::Relaxed) >= 100, "too few to tell anything");
    assert!(delivered >= 5, "the session went on");
    assert!(most < before + growth_kib, "{before} KiB became {most} KiB");
    let counters = alice.counters();
    assert_eq!((counters.established, counters.broken), (1, 0), "the session is the first one");
}

fn place(card: &Card) -> SocketAddr {
    let mut udp = card.addresses().iter().filter(|address| address.transport == Transport::Udp);
    udp.next().unwrap().endpoint.socket_addr().unwrap()
}

fn flood(
    thread: u32,
    place: SocketAddr,
    card: &Arc<Card>,
    address: fn(u32) -> Ipv4Addr,
    came: &AtomicU32,
) {
    let (start, ours) = (Instant::now(), Arc::new(local()));
    for number in (0..).map(|number| 2 * number + thread) {
        if start.elapsed() > TIME {
            return;
        }
        let Ok(socket) = UdpSocket::bind((address(number), 0)) else { continue };
        socket.connect(place).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        came.fetch_add(1, Ordering::Relaxed);
        match number % 8 {
            0 | 1 => say_first_messages(&socket, &ours, card, place),
            2 => say_garbage(&socket),
            kind => go_on(&socket, &ours, card, place, kind % 2 == 0),
        }
    }
}

fn dialling(ours: &Arc<Local>, card: &Arc<Card>, place: SocketAddr) -> UdpEndpoint {
    let caps = Box::new(Admission::new(Limits::default()));
    let directory = Arc::new(Nobody);
    let mut endpoint = UdpEndpoint::new(Arc::clone(ours), directory, caps, now(), AwsLc.random());
    endpoint.dial(now(), place, Arc::clone(card)).unwrap();
    endpoint
}

/// Says one first message under many indices.
fn say_first_messages(socket: &UdpSocket, ours: &Arc<Local>, card: &Arc<Card>, place: SocketAddr) {
    let Some(Transmit { mut datagram, .. }) = dialling(ours, card, place).poll_transmit() else {
        return;
    };
    for index in 1..=FIRST_MESSAGES {
        datagram.get_mut(1..5).unwrap().copy_from_slice(&index.to_be_bytes());
        let _ = socket.send(&datagram);
    }
}

fn say_garbage(socket: &UdpSocket) {
    let mut garbage = [0; MAX_DATAGRAM];
    for kind in 0..16 {
        let random: &mut dyn Random = &mut *AwsLc.random();
        random.fill(&mut garbage);
        garbage[0] = kind;
        let _ = socket.send(&garbage);
    }
}

/// Ends the handshake, and then says nothing more or all but the end of its Hello.
fn go_on(
    socket: &UdpSocket,
    ours: &Arc<Local>,
    card: &Arc<Card>,
    place: SocketAddr,
    says_hello: bool,
) {
    const DATA: u8 = 0x0b;
    let (start, mut endpoint) = (Instant::now(), dialling(ours, card, place));
    let mut buffer = [0; 2_048];
    while start.elapsed() < EACH {
        while let Some(Transmit { datagram, .. }) = endpoint.poll_transmit() {
            let is_data = datagram.first() == Some(&DATA);
            if !is_data || (says_hello && datagram.len() == MAX_DATAGRAM) {
                let _ = socket.send(&datagram);
            }
        }
        if let Ok(length) = socket.recv(&mut buffer) {
            endpoint.receive(now(), place, buffer.get_mut(..length).unwrap());
        }
        endpoint.handle_timeout(now());
    }
}

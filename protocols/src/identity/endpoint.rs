//! Where a socket is: a host and a port.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::num::NonZeroU16;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host and a port, as `host:port`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Endpoint {
    host: Host,
    port: NonZeroU16,
}

impl Endpoint {
    /// Nothing listens on port zero.
    pub fn new(host: Host, port: u16) -> Result<Self, EndpointError> {
        Ok(Self { host, port: NonZeroU16::new(port).ok_or(EndpointError::BadPort)? })
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port.get()
    }

    /// The address, where the host needs no look-up.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let ip: IpAddr = match self.host {
            Host::Name(_) => return None,
            Host::V4(ip) => ip.into(),
            Host::V6(ip) => ip.into(),
        };
        Some(SocketAddr::new(ip, self.port()))
    }
}

impl TryFrom<SocketAddr> for Endpoint {
    type Error = EndpointError;

    fn try_from(address: SocketAddr) -> Result<Self, EndpointError> {
        let host = match address.ip() {
            IpAddr::V4(ip) => Host::V4(ip),
            IpAddr::V6(ip) => Host::V6(ip),
        };
        Self::new(host, address.port())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        // The last colon outside the brackets of an IPv6 address.
        let (host, port) = text.rsplit_once(':').ok_or(EndpointError::NoPort)?;
        if port.contains(']') {
            return Err(EndpointError::NoPort);
        }
        let port = parse_port(port).ok_or(EndpointError::BadPort)?;
        Self::new(host.parse()?, port)
    }
}

/// Only digits, and none too many: `parse` would take `+80` and `0080` too.
fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && !text.starts_with('0') { text.parse().ok() } else { None }
}

/// A host: a name to look up, or an address.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Host {
    /// A DNS name.
    Name(HostName),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6(Ipv6Addr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name.as_str()),
            Self::V4(ip) => write!(f, "{ip}"),
            Self::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

impl FromStr for Host {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(rest) = text.strip_prefix('[') {
            let ip = rest.strip_suffix(']').ok_or(EndpointError::BadIpv6)?;
            return ip.parse().map(Self::V6).map_err(|_| EndpointError::BadIpv6);
        }
        if text.contains(':') {
            return Err(EndpointError::BareIpv6);
        }
        if let Ok(ip) = text.parse() {
            return Ok(Self::V4(ip));
        }
        HostName::try_from(String::from(text)).map(Self::Name)
    }
}

/// A DNS name (RFC 1123): labels of lower-case letters, digits and hyphens, at most 253 characters.
/// The last label is not all digits, so that no name looks like an IPv4 address.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostName {
    type Error = EndpointError;

    fn try_from(name: String) -> Result<Self, EndpointError> {
        let fits = name.len() <= MAX_NAME_LENGTH
            && name.split('.').all(is_label)
            && name.rsplit('.').next().is_some_and(|last| !is_number(last));
        if fits { Ok(Self(name)) } else { Err(EndpointError::BadName) }
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= MAX_LABEL_LENGTH
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_number(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_digit())
}

/// Why something is not `host:port`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// There is no `:port` at the end.
    #[error("the port is missing: write host:port")]
    NoPort,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    BadPort,
    /// What stands in brackets is not an IPv6 address.
    #[error("what stands in brackets is not an IPv6 address")]
    BadIpv6,
    /// An IPv6 address without brackets.
    #[error("an IPv6 address is written in brackets: [::1]:7400")]
    BareIpv6,
    /// Not a DNS name and not an IPv4 address.
    #[error("the host is neither an address nor a DNS name in lower case")]
    BadName,
}

/// RFC 1035 section 2.3.4, as text.
const MAX_NAME_LENGTH: usize = 253;

/// RFC 1035 section 2.3.4.
const MAX_LABEL_LENGTH: usize = 63;

#[cfg(test)]
mod tests;

//! What the processor does by itself. Knows nothing of suites.

/// Whether AES and the multiplication of GCM have instructions of their own. Where they have none,
/// AES-GCM is several times slower than ChaCha20-Poly1305, and an AES in tables leaks its key
/// through the cache.
pub(super) fn has_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::has_aes;

    /// Linux lists the same features, by the names of the processor's makers.
    #[test]
    fn the_system_says_the_same() {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let flags = text.lines().find(|line| {
            line.starts_with("flags") || line.starts_with("Features") || line.starts_with("isa")
        });
        let lists = |name| flags.is_some_and(|line| line.split_whitespace().any(|it| it == name));
        let multiplies = lists("pclmulqdq") || lists("pmull");
        assert_eq!(has_aes(), lists("aes") && multiplies, "{flags:?}");
    }
}

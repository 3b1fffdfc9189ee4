//! The crypto provider of this build: the fast one where it is linked, else the one in Rust alone.

use std::sync::Arc;

use meshwork::provider::FleetProvider;

/// The provider.
pub(crate) fn provider() -> Arc<dyn FleetProvider> {
    #[cfg(feature = "aws-lc-rs")]
    return Arc::new(meshwork::provider::aws::AwsLc);
    #[cfg(all(feature = "pure", not(feature = "aws-lc-rs")))]
    return Arc::new(meshwork::provider::pure::Pure);
}

#[cfg(not(any(feature = "pure", feature = "aws-lc-rs")))]
compile_error!("meshctl needs a crypto provider: enable the feature `aws-lc-rs` or `pure`");

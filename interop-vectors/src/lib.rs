//! Vectors made by others.

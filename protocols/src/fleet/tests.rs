//! A group's life between honest members, and what each step must leave whole.

mod attackers;
mod bad_input;
mod crash;
mod life;
mod sizes;

//! A bar: a figure that is asked for, and whether it was met.

/// A figure that was measured, and what is asked of it.
pub struct Bar {
    what: &'static str,
    measured: f64,
    asked: Asked,
}

enum Asked {
    AtMost(f64),
    AtLeast(f64),
    /// Shown beside the others.
    Nothing,
}

impl Bar {
    /// Met by at most `bound`.
    pub fn at_most(bound: f64, what: &'static str, measured: f64) -> Self {
        Self { what, measured, asked: Asked::AtMost(bound) }
    }

    /// Met by at least `bound`.
    pub fn at_least(bound: f64, what: &'static str, measured: f64) -> Self {
        Self { what, measured, asked: Asked::AtLeast(bound) }
    }

    /// Nothing is asked.
    pub fn shown(what: &'static str, measured: f64) -> Self {
        Self { what, measured, asked: Asked::Nothing }
    }

    /// Prints it; whether it was met.
    pub fn print(&self) -> bool {
        let (asked, met) = match self.asked {
            Asked::AtMost(bound) => (format!("at most {bound}"), self.measured <= bound),
            Asked::AtLeast(bound) => (format!("at least {bound}"), self.measured >= bound),
            Asked::Nothing => (String::from("shown only"), true),
        };
        let verdict = if met { "" } else { "  MISSED" };
        println!("  {:<64} {:>8.3}  ({asked}){verdict}", self.what, self.measured);
        met
    }
}

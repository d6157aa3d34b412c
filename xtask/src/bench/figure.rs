//! Figures that a bench works out itself, ratios within one run: lines of its output.

/// What such a line begins with.
const MARK: &str = "figure: ";
/// What stands between its parts.
const SEPARATOR: char = '|';

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    /// What was measured, on what.
    group: String,
    /// Which figure of it; what it is made of is indented.
    name: String,
    value: String,
    /// What it should be; empty if there is no such thing.
    target: String,
}

impl Figure {
    /// The figure in a line of output, if there is one and its group contains `filter`.
    pub(super) fn read(line: &str, filter: Option<&str>) -> Option<Self> {
        let mut parts = line.strip_prefix(MARK)?.split(SEPARATOR);
        let [group, name, value] = [parts.next()?, parts.next()?, parts.next()?];
        if filter.is_some_and(|filter| !group.contains(filter)) {
            return None;
        }
        Some(Self {
            group: group.trim().to_owned(),
            name: name.strip_prefix(' ').unwrap_or(name).trim_end().to_owned(),
            value: value.trim().to_owned(),
            target: parts.next().unwrap_or_default().trim().to_owned(),
        })
    }
}

/// A paragraph for each group.
pub(super) fn table(figures: &[Figure]) -> String {
    let width = |of: fn(&Figure) -> &str| figures.iter().map(|figure| of(figure).len()).max().unwrap_or(0);
    let (name, value) = (width(|figure| &figure.name), width(|figure| &figure.value));
    let mut lines = Vec::new();
    for (at, figure) in figures.iter().enumerate() {
        if at == 0 || figures[at - 1].group != figure.group {
            lines.push(figure.group.clone());
        }
        lines.push(format!(
            "  {:name$}  {:value$}  {}",
            figure.name, figure.value, figure.target
        ));
    }
    lines
        .iter()
        .map(|line| line.trim_end())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
Benchmarking
figure: needles, 4 KiB | needles / memmem | 1.50 x | at most 3 x
figure: needles, 4 KiB |   decoding | 2.25 x |
figure: memory | slope | 9.1 KiB a user | at most 16 KiB
figure: broken
";

    fn read(filter: Option<&str>) -> Vec<Figure> {
        OUTPUT
            .lines()
            .filter_map(|line| Figure::read(line, filter))
            .collect()
    }

    #[test]
    fn figures_are_lines_among_others() {
        insta::assert_snapshot!(table(&read(None)), @r"
        needles, 4 KiB
          needles / memmem  1.50 x          at most 3 x
            decoding        2.25 x
        memory
          slope             9.1 KiB a user  at most 16 KiB
        ");
    }

    #[test]
    fn a_filter_names_a_group() {
        assert_eq!(read(Some("mem")).len(), 1);
        assert_eq!(read(Some("none")).len(), 0);
    }
}

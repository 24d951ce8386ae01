// SPDX-License-Identifier: GPL-2.0

//! Text for people, JSON for programs.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use crate::failure::Failure;

/// What can be printed as text; its JSON is its serialization.
pub trait Text: Serialize {
    /// Writes whole lines.
    fn text(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// Where to print, and how.
pub struct Output {
    json: bool,
    out: BufWriter<StdoutLock<'static>>,
}

impl Output {
    /// Prints to the standard output.
    pub fn new(json: bool) -> Self {
        Self {
            json,
            out: BufWriter::new(io::stdout().lock()),
        }
    }

    /// Prints the one result of a command.
    pub fn print(mut self, result: &impl Text) -> Result<(), Failure> {
        self.add(result)?;
        self.flush()
    }

    /// Prints one of many results, once enough have come or [`Self::flush`] is called.
    pub fn add(&mut self, result: &impl Text) -> Result<(), Failure> {
        if self.json {
            serde_json::to_writer(&mut self.out, result)?;
            self.out.write_all(b"\n")?;
        } else {
            result.text(&mut self.out)?;
        }
        Ok(())
    }

    /// Sees that all that was printed is seen.
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// The result of a command that has none: no text, `{}` in JSON.
#[derive(Serialize)]
pub struct Nothing {}

impl Text for Nothing {
    fn text(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// On which side the cells of a column are padded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Writes rows as aligned columns, two spaces apart, nothing at the ends of lines. A column without
/// any text is left out.
pub fn table(out: &mut dyn Write, align: &[Align], rows: &[Vec<String>]) -> io::Result<()> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..align.len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    for row in rows {
        let cells = row.iter().zip(align.iter().zip(&widths));
        let cells = cells.filter(|(_, (_, width))| **width > 0);
        let cells: Vec<_> = cells
            .map(|(cell, (align, width))| pad(cell, *align, *width))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn pad(cell: &str, align: Align, width: usize) -> String {
    match align {
        Align::Left => format!("{cell:<width$}"),
        Align::Right => format!("{cell:>width$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_with_text() {
        let rows = [["ID", "NAME", "X"], ["10", "web", ""], ["9", "a-pool", "y"]];
        let rows: Vec<Vec<String>> = rows.map(|row| row.map(String::from).to_vec()).to_vec();
        let mut out = Vec::new();
        table(&mut out, &[Align::Right, Align::Left, Align::Left], &rows).expect("memory");
        assert_eq!(
            String::from_utf8_lossy(&out),
            "ID  NAME    X\n10  web\n 9  a-pool  y\n"
        );
    }

    #[test]
    fn columns_without_text_are_left_out() {
        let rows = [["a", "", "b"], ["c", "", "d"]];
        let rows: Vec<Vec<String>> = rows.map(|row| row.map(String::from).to_vec()).to_vec();
        let mut out = Vec::new();
        table(&mut out, &[Align::Left; 3], &rows).expect("memory");
        assert_eq!(String::from_utf8_lossy(&out), "a  b\nc  d\n");
    }
}

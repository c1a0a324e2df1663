//! Lines that are to be written, the oldest first, in batches as they go to the file. While all goes well it is one batch in memory that is kept;
//! where nothing can be written it grows to a bound.

use std::{collections::VecDeque, mem};

/// How many lines are kept while they cannot be written.
pub(super) const LONGEST_BACKLOG: usize = 65_536;
/// How much is written at once.
const BATCH_BYTES: usize = 64 * 1024;

/// Lines that are to be written.
#[derive(Default)]
pub(super) struct Backlog {
    batches: VecDeque<Batch>,
    /// How many lines are in all batches.
    lines: usize,
    /// The memory of a batch that was written, empty.
    spare: Vec<u8>,
}

struct Batch {
    bytes: Vec<u8>,
    lines: usize,
}

impl Backlog {
    /// Is there no room for another line?
    pub(super) fn is_full(&self) -> bool {
        self.lines >= LONGEST_BACKLOG
    }

    /// How many lines wait.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Adds a line, which has its end. A batch holds whole lines; one that is longer than a batch is a batch by itself.
    pub(super) fn push(&mut self, line: &[u8]) {
        self.lines += 1;
        match self.batches.back_mut() {
            Some(last) if last.bytes.len() + line.len() <= BATCH_BYTES => {
                last.bytes.extend_from_slice(line);
                last.lines += 1;
            }
            Some(_) | None => {
                let mut bytes = mem::take(&mut self.spare);
                bytes.reserve(BATCH_BYTES);
                bytes.extend_from_slice(line);
                self.batches.push_back(Batch { bytes, lines: 1 });
            }
        }
    }

    /// What is to be written next.
    pub(super) fn next(&self) -> Option<&[u8]> {
        self.batches.front().map(|batch| &*batch.bytes)
    }

    /// Of what is to be written next, so many bytes are written. The rest must be written after them.
    pub(super) fn written_in_part(&mut self, bytes: usize) {
        let Some(batch) = self.batches.front_mut() else {
            return;
        };
        let written = batch.bytes.drain(..bytes.min(batch.bytes.len()));
        let ends = written.filter(|byte| *byte == b'\n').count();
        batch.lines = batch.lines.saturating_sub(ends);
        self.lines = self.lines.saturating_sub(ends);
        if batch.bytes.is_empty() {
            self.written();
        }
    }

    /// That was written.
    pub(super) fn written(&mut self) {
        if let Some(mut batch) = self.batches.pop_front() {
            self.lines -= batch.lines;
            batch.bytes.clear();
            self.spare = batch.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes everything, and tells the batches.
    fn written(backlog: &mut Backlog) -> Vec<Vec<u8>> {
        let mut batches = Vec::new();
        while let Some(batch) = backlog.next() {
            batches.push(batch.to_vec());
            backlog.written();
        }
        batches
    }

    #[test]
    fn lines_are_written_whole_in_their_order_a_batch_at_once() {
        let mut backlog = Backlog::default();
        let line = |number: u8, length: usize| [vec![b'a' + number; length - 1], b"\n".to_vec()].concat();
        let lengths = [1_000, 64_000, 536, 9, 70_000, 3, 65_533, 65_536, 9];
        let lines: Vec<_> = (0..)
            .zip(lengths)
            .map(|(number, length)| line(number, length))
            .collect();
        lines.iter().for_each(|line| backlog.push(line));
        let batches = written(&mut backlog);
        assert_eq!(batches.concat(), lines.concat());
        let counts: Vec<_> = batches
            .iter()
            .map(|batch| batch.iter().filter(|b| **b == b'\n').count())
            .collect();
        assert_eq!(counts, [3, 1, 1, 2, 1, 1]);
        assert!(backlog.next().is_none() && backlog.lines == 0);
    }

    #[test]
    fn it_is_full_by_lines_and_has_room_again_by_what_was_written() {
        let mut backlog = Backlog::default();
        (0..LONGEST_BACKLOG).for_each(|_| backlog.push(b"a line\n"));
        assert!(backlog.is_full());
        backlog.written();
        assert!(!backlog.is_full());
        backlog.push(b"the last\n");
        assert!(written(&mut backlog).concat().ends_with(b"a line\nthe last\n"));
    }

    #[test]
    fn lines_that_were_written_are_not_written_again() {
        let mut backlog = Backlog::default();
        for line in ["one\n", "two\n", "three\n"] {
            backlog.push(line.as_bytes());
        }
        backlog.written_in_part(0);
        assert_eq!(backlog.lines(), 3);
        backlog.written_in_part(6);
        assert_eq!(backlog.next(), Some(&b"o\nthree\n"[..]));
        assert_eq!(backlog.lines(), 2);
        backlog.written_in_part(8);
        assert!(backlog.next().is_none() && backlog.lines() == 0);
    }

    #[test]
    fn while_all_goes_well_it_takes_no_more_memory() {
        let mut backlog = Backlog::default();
        backlog.push(b"one\n");
        let at = backlog.next().unwrap().as_ptr();
        for _ in 0..3 {
            backlog.written();
            backlog.push(b"two\n");
            assert_eq!(backlog.next().unwrap().as_ptr(), at);
        }
    }
}

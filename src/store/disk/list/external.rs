//! Sorting on disk: sorted runs go in, one sorted file comes out, read in blocks through a sparse index.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    os::unix::fs::FileExt,
};

use super::names::{Block, Kind};

/// How many bytes of a sorted file are read at a time.
const BLOCK_BYTES: u64 = 64 * 1024;

/// Sorted runs, each in a file of its own.
#[derive(Default)]
pub(super) struct Runs(Vec<File>);

impl Runs {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes a sorted block.
    pub(super) fn add(&mut self, block: &Block, file: File) -> io::Result<()> {
        let mut writer = BufWriter::new(file);
        let mut at = 0usize;
        while let Some((name, kind)) = block.get(at) {
            write(&mut writer, name, kind)?;
            at = at.saturating_add(1);
        }
        let mut file = writer.into_inner()?;
        file.rewind()?;
        self.0.push(file);
        Ok(())
    }

    /// Merges all runs into a file.
    pub(super) fn merge(self, file: File) -> io::Result<Sorted> {
        let mut readers: Vec<_> = self.0.into_iter().map(BufReader::new).collect();
        let mut heap = BinaryHeap::new();
        for (at, reader) in readers.iter_mut().enumerate() {
            if let Some(first) = read(reader)? {
                heap.push(Reverse((first, at)));
            }
        }
        let mut writer = BufWriter::new(file);
        let (mut index, mut offset, mut next_block) = (Vec::new(), 0u64, 0u64);
        while let Some(Reverse(((name, kind), at))) = heap.pop() {
            if offset >= next_block {
                index.push((name.clone(), kind, offset));
                next_block = offset.saturating_add(BLOCK_BYTES);
            }
            offset = offset.saturating_add(write(&mut writer, &name, kind)?);
            if let Some(reader) = readers.get_mut(at)
                && let Some(next) = read(reader)?
            {
                heap.push(Reverse((next, at)));
            }
        }
        Ok(Sorted {
            file: writer.into_inner()?,
            index,
            end: offset,
        })
    }
}

/// Sorted names in a file.
pub(super) struct Sorted {
    file: File,
    /// The first name of each block, and where the block begins.
    index: Vec<(Vec<u8>, Kind, u64)>,
    end: u64,
}

impl Sorted {
    /// The number of the block in which the first name stands that is not before; names are sorted by `before`.
    pub(super) fn partition_point(&self, before: impl Fn(&[u8], Kind) -> bool) -> usize {
        let behind = self.index.partition_point(|(name, kind, _)| before(name, *kind));
        behind.saturating_sub(1)
    }

    /// Reads a block; none behind the last.
    pub(super) fn block(&self, number: usize) -> io::Result<Option<Block>> {
        let Some((_, _, start)) = self.index.get(number) else {
            return Ok(None);
        };
        let next = self.index.get(number.saturating_add(1));
        let end = next.map_or(self.end, |(_, _, offset)| *offset);
        let length = usize::try_from(end.saturating_sub(*start)).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, *start)?;
        let (mut block, mut reader) = (Block::default(), bytes.as_slice());
        while let Some((name, kind)) = read(&mut reader)? {
            block.push(&name, kind);
        }
        Ok(Some(block))
    }

    /// How many bytes of memory it takes: the index.
    pub(super) fn weight(&self) -> u64 {
        let names: usize = self.index.iter().map(|(name, _, _)| name.len() + 48).sum();
        names as u64
    }
}

/// A name: its length in two bytes, its kind in one, its bytes. How many were written comes out.
fn write(to: &mut impl Write, name: &[u8], kind: Kind) -> io::Result<u64> {
    let length = u16::try_from(name.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(&[kind as u8])?;
    to.write_all(name)?;
    Ok(u64::from(length) + 3)
}

fn read(from: &mut impl Read) -> io::Result<Option<(Vec<u8>, Kind)>> {
    let mut head = [0; 3];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let [high, low, kind] = head;
    let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind);
    let kind = kind.ok_or(io::ErrorKind::InvalidData)?;
    let mut name = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    from.read_exact(&mut name)?;
    Ok(Some((name, kind)))
}

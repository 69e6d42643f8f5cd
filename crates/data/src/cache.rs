//! Decoded samples on disk: one file for each data set, split and setting.
//!
//! The file is named by a hash of everything its content depends on ([`CacheKey`]), so that a different
//! setting uses a different file, never a stale one. It is written under a temporary name and renamed when
//! complete, and its length, key and checksums are checked when it is opened: a truncated file is made again.
//!
//! Layout, all numbers little-endian: 16 bytes of magic, the lengths of header and tail as u64, the header
//! (JSON), zeros up to a multiple of 64, the samples one after another as `[T, C, H, W]`, the tail (JSON: each
//! sample's label, name and CRC-32), and the CRC-32 of header and tail.

use std::io::{BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Crc;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bytes::ByteSource;
use crate::dataset::{Dataset, Element, SampleContext, SampleShape, SampleSlot};
use crate::error::{BoxError, DataError};
use crate::loader::{Loader, LoaderConfig};
use crate::whole_file;

const MAGIC: &[u8; 16] = b"tks-samples-1\0\0\n";
const PREFIX: usize = 16 + 8 + 8;
const ALIGN: u64 = 64;

/// Everything a cache's content depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheKey {
    /// Name of the data set.
    pub dataset: String,
    /// Version of its manifest.
    pub version: u32,
    /// Split and part, such as `official/train`.
    pub split: String,
    /// Everything else that determines a sample's content: all settings of decoding, slicing and
    /// representation.
    pub setting: serde_json::Value,
    /// The identity of the source files, such as their sizes and times.
    pub source: String,
}

impl CacheKey {
    /// The path of the cache file in `folder`.
    pub fn path(&self, folder: &Path) -> PathBuf {
        // serde_json sorts maps, so equal settings give equal text.
        let text = serde_json::json!([self.dataset, self.version, self.split, self.setting, self.source]);
        let hash = Sha256::digest(text.to_string().as_bytes());
        let hex: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let split = self.split.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        folder.join(format!("{}-{split}-{hex}.samples", self.dataset))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    key: CacheKey,
    element: String,
    shape: SampleShape,
    classes: usize,
    count: usize,
}

impl Header {
    /// Number of bytes of all samples, with elements `E`.
    fn data_len<E>(&self) -> u64 {
        (self.count * self.shape.len() * size_of::<E>()) as u64
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Tail {
    labels: Vec<usize>,
    names: Vec<String>,
    crcs: Vec<u32>,
}

/// How a cache was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheState {
    /// It existed.
    Found,
    /// It did not exist and was made.
    Built,
    /// It existed but could not be used, for this reason, and was made again.
    Rebuilt(String),
}

/// The decoded samples of a data set; itself a data set.
#[derive(Debug)]
pub struct SampleCache<E> {
    source: ByteSource,
    /// The offset of the first sample in it.
    data: u64,
    header: Header,
    tail: Tail,
    path: PathBuf,
    element: PhantomData<E>,
}

impl<E: Element> SampleCache<E> {
    /// Opens the cache with this key in `folder`, or makes it from `dataset` if it does not exist or cannot
    /// be used. Samples are decoded by `workers` threads, as in epoch 0 with seed 0: a data set with random
    /// choices should not be cached. `progress` receives the number of samples done and the total.
    ///
    /// # Errors
    /// The loader's errors, [`DataError::DiskFull`] and [`DataError::Io`].
    pub fn open_or_build<D: Dataset<Element = E> + ?Sized + 'static>(
        dataset: &Arc<D>,
        key: &CacheKey,
        folder: &Path,
        workers: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Self, CacheState), DataError> {
        let path = key.path(folder);
        let reason = if path.exists() {
            match SampleCache::open(&path, key) {
                Ok(cache) if cache.len() == dataset.len() && cache.shape() == dataset.shape() => {
                    return Ok((cache, CacheState::Found));
                }
                Ok(_) => Some("it holds other samples than the data set".to_string()),
                Err(DataError::Cache { message, .. }) => Some(message),
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        build(dataset, key, &path, workers, progress)?;
        let state = reason.map_or(CacheState::Built, CacheState::Rebuilt);
        Ok((SampleCache::open(&path, key)?, state))
    }

    /// Opens the cache file at `path`, if it is complete and has this key.
    ///
    /// # Errors
    /// [`DataError::Cache`] if it is not complete or has another key, [`DataError::Io`] if it cannot be
    /// opened.
    pub fn open(path: &Path, key: &CacheKey) -> Result<Self, DataError> {
        let source = ByteSource::open(path)?;
        let wrong =
            |message: &str| DataError::Cache { path: path.to_path_buf(), message: message.to_string() };
        let cut = || wrong(&format!("it is cut: {} bytes are there", source.len()));
        let mut prefix = [0; PREFIX];
        if source.len() >= PREFIX as u64 {
            source.read_at(0, &mut prefix)?;
        }
        if prefix[..16] != *MAGIC {
            return Err(wrong("it does not begin as a cache file"));
        }
        let length = |at: usize| {
            let number = prefix[at..at + 8].iter().rev().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
            Some(number).filter(|&length| length < source.len())
        };
        let (header_len, tail_len) = (length(16).ok_or_else(cut)?, length(24).ok_or_else(cut)?);
        let header_end = PREFIX as u64 + header_len;
        let data = header_end.next_multiple_of(ALIGN);
        let tail_end = source.len().checked_sub(4).ok_or_else(cut)?;
        let tail = tail_end.checked_sub(tail_len).filter(|&tail| tail >= data).ok_or_else(cut)?;
        let (mut header_memory, mut tail_memory, mut crc_memory) = (Vec::new(), Vec::new(), [0; 4]);
        let header_text = source.bytes_in(PREFIX as u64..header_end, &mut header_memory)?;
        let tail_text = source.bytes_in(tail..tail_end, &mut tail_memory)?;
        source.read_at(tail_end, &mut crc_memory)?;
        let mut crc = Crc::new();
        crc.update(header_text);
        crc.update(tail_text);
        if crc.sum().to_le_bytes() != crc_memory {
            return Err(wrong("it is cut or corrupt: header and tail do not fit their checksum"));
        }
        let read = |e: serde_json::Error| wrong(&format!("it cannot be read: {e}"));
        let header: Header = serde_json::from_slice(header_text).map_err(read)?;
        let tail_read: Tail = serde_json::from_slice(tail_text).map_err(read)?;
        if header.key != *key {
            return Err(wrong("it was made with another setting"));
        }
        if header.element != E::NAME {
            return Err(wrong(&format!("its elements are {}, not {}", header.element, E::NAME)));
        }
        let lists = [tail_read.labels.len(), tail_read.names.len(), tail_read.crcs.len()];
        if tail - data != header.data_len::<E>() || lists != [header.count; 3] {
            return Err(cut());
        }
        // Values are read as stored, so only on a machine with the byte order they were written in.
        if cfg!(target_endian = "big") {
            return Err(wrong("caches are not read on big-endian machines"));
        }
        Ok(SampleCache {
            source,
            data,
            header,
            tail: tail_read,
            path: path.to_path_buf(),
            element: PhantomData,
        })
    }

    /// The offset in the file of time step `step` of a sample.
    fn place(&self, index: usize, step: usize) -> u64 {
        let frames = index as u64 * self.header.shape.steps() as u64 + step as u64;
        self.data + frames * (self.header.shape.frame_len() * size_of::<E>()) as u64
    }

    /// A sample's elements, `[T, C, H, W]`.
    ///
    /// # Errors
    /// [`DataError::Changed`] if another program changed the file, [`DataError::Io`].
    ///
    /// # Panics
    /// If `index` is not below the number of samples.
    pub fn sample(&self, index: usize) -> Result<Vec<E>, DataError> {
        assert!(index < self.header.count, "sample {index} of {}", self.header.count);
        let mut elements = vec![E::default(); self.header.shape.len()];
        self.source.read_at(self.place(index, 0), bytemuck::cast_slice_mut(&mut elements))?;
        Ok(elements)
    }

    /// Checks every sample's checksum.
    ///
    /// # Errors
    /// [`DataError::Cache`] with the first sample whose checksum is wrong; those of [`SampleCache::sample`].
    pub fn verify(&self) -> Result<(), DataError> {
        for (index, &stated) in self.tail.crcs.iter().enumerate() {
            let mut crc = Crc::new();
            crc.update(bytemuck::cast_slice(&self.sample(index)?));
            if crc.sum() != stated {
                return Err(DataError::Cache {
                    path: self.path.clone(),
                    message: format!("sample {index} (`{}`) is corrupt", self.tail.names[index]),
                });
            }
        }
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn build<D: Dataset + ?Sized + 'static>(
    dataset: &Arc<D>,
    key: &CacheKey,
    path: &Path,
    workers: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), DataError> {
    let count = dataset.len();
    let shape = dataset.shape();
    let header = Header {
        key: key.clone(),
        element: <D::Element as Element>::NAME.to_string(),
        shape: shape.clone(),
        classes: dataset.classes(),
        count,
    };
    let needed = header.data_len::<D::Element>();
    let io = |e| match DataError::io("write", path, e) {
        DataError::DiskFull { path, .. } => DataError::DiskFull { path, needed: Some(needed) },
        other => other,
    };
    let mut file = BufWriter::with_capacity(1 << 20, whole_file::begin(path)?);
    let json = |e: serde_json::Error| DataError::Cache { path: path.to_path_buf(), message: e.to_string() };
    let header = serde_json::to_vec(&header).map_err(json)?;
    let mut tail = Tail {
        labels: (0..count).map(|index| dataset.label(index)).collect(),
        names: (0..count).map(|index| dataset.sample_name(index)).collect(),
        crcs: Vec::with_capacity(count),
    };
    tail.crcs.resize(count, 0);
    let header_end = (PREFIX + header.len()) as u64;
    let padding = (header_end.next_multiple_of(ALIGN) - header_end) as usize;
    file.write_all(MAGIC).map_err(io)?;
    file.write_all(&(header.len() as u64).to_le_bytes()).map_err(io)?;
    // The tail's length is known only at the end, and is then written here.
    file.write_all(&[0; 8]).map_err(io)?;
    file.write_all(&header).map_err(io)?;
    file.write_all(&vec![0; padding]).map_err(io)?;

    let loader = Loader::new(Arc::clone(dataset), LoaderConfig::evaluation(8, workers))?;
    let (steps, frame) = (shape.steps(), shape.frame_len());
    let mut done = 0;
    for batch in loader.epoch(0)? {
        let batch = batch?;
        for position in 0..batch.len() {
            let mut crc = Crc::new();
            for t in 0..steps {
                let start = (t * batch.len() + position) * frame;
                let bytes = bytemuck::cast_slice(&batch.as_slice()[start..start + frame]);
                crc.update(bytes);
                file.write_all(bytes).map_err(io)?;
            }
            tail.crcs[done] = crc.sum();
            done += 1;
        }
        progress(done, count);
    }
    let tail = serde_json::to_vec(&tail).map_err(json)?;
    let mut crc = Crc::new();
    crc.update(&header);
    crc.update(&tail);
    file.write_all(&tail).map_err(io)?;
    file.write_all(&crc.sum().to_le_bytes()).map_err(io)?;
    let mut temporary = file.into_inner().map_err(|e| io(e.into_error()))?;
    std::io::Seek::seek(&mut temporary, std::io::SeekFrom::Start(24)).map_err(io)?;
    temporary.write_all(&(tail.len() as u64).to_le_bytes()).map_err(io)?;
    whole_file::finish(temporary, path)
}

impl<E: Element> Dataset for SampleCache<E> {
    type Element = E;

    fn len(&self) -> usize {
        self.header.count
    }

    fn shape(&self) -> SampleShape {
        self.header.shape.clone()
    }

    fn classes(&self) -> usize {
        self.header.classes
    }

    fn label(&self, index: usize) -> usize {
        self.tail.labels[index]
    }

    fn sample_name(&self, index: usize) -> String {
        self.tail.names[index].clone()
    }

    fn load(&self, index: usize, _: &mut SampleContext, mut slot: SampleSlot<'_, E>) -> Result<(), BoxError> {
        for step in 0..self.header.shape.steps() {
            self.source.read_at(self.place(index, step), bytemuck::cast_slice_mut(slot.step(step)))?;
        }
        Ok(())
    }
}

//! The sources of one crate: the text of each file in its folder `src`.
//!
//! It never looks into them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The text of each source file, by its path below the folder of `lib.rs`.
#[derive(Debug, Default)]
pub struct Sources {
    files: BTreeMap<PathBuf, String>,
}

impl Sources {
    /// All `.rs` files below `folder`. A folder or file that cannot be read is [`Error::File`].
    pub fn read(folder: &Path) -> Result<Sources> {
        let mut sources = Sources::default();
        sources.collect(folder, Path::new(""))?;
        Ok(sources)
    }

    fn collect(&mut self, folder: &Path, below: &Path) -> Result<()> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { path, source }
        };
        for entry in fs::read_dir(folder).map_err(at(folder))? {
            let path = entry.map_err(at(folder))?.path();
            let name = below.join(path.file_name().unwrap_or_default());
            if path.is_dir() {
                self.collect(&path, &name)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).map_err(at(&path))?;
                self.files.insert(name, text);
            }
        }
        Ok(())
    }

    pub(crate) fn file(&self, path: &Path) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Sources {
    fn from(files: [(&str, &str); N]) -> Sources {
        let files = files.map(|(path, text)| (PathBuf::from(path), text.to_owned()));
        Sources {
            files: files.into(),
        }
    }
}

//! Reads the limits of a profile: every number with its unit, inside the bounds of [`super::bounds`].

use std::fmt::Display;
use std::str::FromStr;

use super::bounds;
use super::error::{Fault, Problem};
use super::file::{Count, SizeText, TimeText};
use super::profile::{Home, Limits};
use super::resolve::Reading;
use crate::model::{ByteCount, SizeError, Span};
use crate::yaml::{At, OutOfRange, Setting};

impl Reading<'_> {
    pub(crate) fn limits(&self) -> Result<Limits, Fault> {
        let file = &self.file.limits;
        let limits = Limits {
            memory: self.bytes("limits.memory", &file.memory, |l| l.memory, bounds::MEMORY)?,
            processes: self.count("limits.processes", &file.processes, |l| l.processes, bounds::PROCESSES)?,
            cpu: self.setting(
                "limits.cpu",
                &file.cpu,
                |p| p.limits.cpu,
                |at| at.value.0.parse().map_err(|error| at.size("limits.cpu", error)),
            )?,
            cpu_time: self.setting(
                "limits.cpu_time",
                &file.cpu_time,
                |p| p.limits.cpu_time,
                |at| match at.value.0.as_str() {
                    "none" => Ok(None),
                    text => at.bounded("limits.cpu_time", text, bounds::TIME).map(Some),
                },
            )?,
            open_files: self.count(
                "limits.open_files",
                &file.open_files,
                |l| l.open_files,
                bounds::OPEN_FILES,
            )?,
            file_size: self.bytes("limits.file_size", &file.file_size, |l| l.file_size, bounds::FILE_SIZE)?,
            tmp: self.bytes("limits.tmp", &file.tmp, |l| l.tmp, bounds::PRIVATE_FILES)?,
            home: self.bytes("limits.home", &file.home, |l| l.home, bounds::PRIVATE_FILES)?,
            workspace_growth: self.bytes(
                "limits.workspace_growth",
                &file.workspace_growth,
                |l| l.workspace_growth,
                bounds::WORKSPACE_GROWTH,
            )?,
            workspace_files: self.count(
                "limits.workspace_files",
                &file.workspace_files,
                |l| l.workspace_files,
                bounds::WORKSPACE_FILES,
            )?,
            output: self.bytes("limits.output", &file.output, |l| l.output, bounds::OUTPUT)?,
            wall_time: self.time("limits.wall_time", &file.wall_time, |l| l.wall_time)?,
            idle_time: self.time("limits.idle_time", &file.idle_time, |l| l.idle_time)?,
            enforcement: self.word("limits.enforcement", &file.enforcement, |p| p.limits.enforcement)?,
        };
        self.files_fit_into_memory(&limits)?;
        Ok(limits)
    }

    fn files_fit_into_memory(&self, limits: &Limits) -> Result<(), Fault> {
        let home = match self.word("filesystem.home", &self.file.filesystem.home, |p| p.filesystem.home)? {
            Home::Private => limits.home,
            Home::Kept => ByteCount::new(0), // a directory of the disk
        };
        // No overflow: each part is bounded by a quarter of a terabyte.
        let files = limits.tmp.bytes() + home.bytes() + bounds::OTHER_FILES.bytes();
        if files < limits.memory.bytes() {
            return Ok(());
        }
        let written = [&self.file.limits.memory, &self.file.limits.tmp, &self.file.limits.home];
        let place = written
            .into_iter()
            .find_map(Setting::given)
            .map_or(self.file.name.place, |at| at.place);
        Err(place.fault(Problem::FilesOverMemory {
            tmp: limits.tmp,
            home,
            other: bounds::OTHER_FILES,
            memory: limits.memory,
        }))
    }

    fn bytes(
        &self,
        field: &'static str,
        setting: &Setting<SizeText>,
        of: fn(&Limits) -> ByteCount,
        bounds: (ByteCount, ByteCount),
    ) -> Result<ByteCount, Fault> {
        self.setting(
            field,
            setting,
            |p| of(&p.limits),
            |at| at.bounded(field, &at.value.0, bounds),
        )
    }

    fn time(&self, field: &'static str, setting: &Setting<TimeText>, of: fn(&Limits) -> Span) -> Result<Span, Fault> {
        self.setting(
            field,
            setting,
            |p| of(&p.limits),
            |at| at.bounded(field, &at.value.0, bounds::TIME),
        )
    }

    fn count(
        &self,
        field: &'static str,
        setting: &Setting<Count>,
        of: fn(&Limits) -> u32,
        bounds: (u64, u64),
    ) -> Result<u32, Fault> {
        self.setting(
            field,
            setting,
            |p| of(&p.limits),
            |at| {
                let number = at.inside(field, at.value.0, bounds)?;
                u32::try_from(number).map_err(|_| at.range(field, number, bounds))
            },
        )
    }
}

impl<T> At<T> {
    fn bounded<U>(&self, field: &'static str, text: &str, bounds: (U, U)) -> Result<U, Fault>
    where
        U: FromStr<Err = SizeError> + Copy + PartialOrd + Display,
    {
        let value = text.parse().map_err(|error| self.size(field, error))?;
        self.inside(field, value, bounds)
    }

    fn inside<U: Copy + PartialOrd + Display>(
        &self,
        field: &'static str,
        value: U,
        bounds: (U, U),
    ) -> Result<U, Fault> {
        match bounds.0 <= value && value <= bounds.1 {
            true => Ok(value),
            false => Err(self.range(field, value, bounds)),
        }
    }

    fn range<U: Display>(&self, field: &'static str, value: U, bounds: (U, U)) -> Fault {
        self.fault(OutOfRange::new(field, value, bounds).into())
    }

    fn size(&self, field: &'static str, error: SizeError) -> Fault {
        self.fault(Problem::Size { field, error })
    }
}

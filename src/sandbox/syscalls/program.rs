//! The few instructions of BPF that filters are made of, and how a spec carries them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seccompiler::sock_filter;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What makes a call fail with an error.
pub(super) fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number.cast_unsigned()
}

/// One instruction of BPF.
pub(super) fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// A filter as the spec carries it: eight bytes for each instruction, in base64.
#[derive(Clone)]
pub(crate) struct Filter(Vec<u8>);

const INSTRUCTION: usize = 8;

impl Filter {
    pub(super) fn new(program: &[sock_filter]) -> Self {
        let bytes = program.iter().flat_map(|i| {
            let ([a, b], [c, d, e, f]) = (i.code.to_ne_bytes(), i.k.to_ne_bytes());
            [a, b, i.jt, i.jf, c, d, e, f]
        });
        Self(bytes.collect())
    }

    pub(super) fn program(&self) -> Vec<sock_filter> {
        let (instructions, _) = self.0.as_chunks::<INSTRUCTION>();
        let unpack = |&[a, b, jt, jf, c, d, e, f]: &[u8; INSTRUCTION]| {
            instruction(u16::from_ne_bytes([a, b]), jt, jf, u32::from_ne_bytes([c, d, e, f]))
        };
        instructions.iter().map(unpack).collect()
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filter({} instructions)", self.0.len() / INSTRUCTION)
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map(Self).map_err(D::Error::custom)
    }
}

pub(super) const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
pub(super) const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
pub(super) const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
pub(super) const RETURN: u16 = 0x06; // BPF_RET | BPF_K
pub(super) const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
pub(super) const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
pub(super) const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
pub(super) const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
/// Numbers with this bit are x32's on x86_64, and nobody's elsewhere.
pub(super) const X32_BIT: u32 = 0x4000_0000;

#[cfg(target_arch = "x86_64")]
pub(super) const AUDIT_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
pub(super) const AUDIT_ARCH: u32 = 0xC000_00B7;

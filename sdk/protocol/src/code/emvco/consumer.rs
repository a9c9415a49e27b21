//! Consumer-presented codes: Base64 of BER-TLV, read and written.

use std::fmt;

use data_encoding::BASE64;

use crate::code::ber::{self, BerError, Object, Value};

use super::CODE_LEN_MAX;

const FORMAT: u32 = 0x85;
const FORMAT_VALUE: &[u8] = b"CPV01";
const APPLICATION: u32 = 0x61;
const APPLICATION_ID: u32 = 0x4F;
const COMMON: u32 = 0x62;

/// How many bytes a plain object may have, where the specification says (CPM 1.1, tables 3 to 7).
const LENGTHS: &[(u32, usize, usize)] = &[
    (APPLICATION_ID, 5, 16),
    (0x50, 1, 16),
    (0x57, 1, 19),
    (0x5A, 1, 10),
    (0x5F20, 2, 26),
    (0x5F2D, 2, 8),
    (0x9F08, 2, 2),
    (0x9F19, 6, 6),
    (0x9F24, 29, 29),
    (0x9F25, 2, 2),
    (0x9F26, 8, 8),
    (0x9F27, 1, 1),
    (0x9F36, 2, 2),
];

/// A consumer-presented code. Whoever has it can pay with it for a while, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsumerCode {
    /// At least one, the one that the customer prefers first.
    pub applications: Vec<Application>,
    /// What applications have in common (62); empty if there is none.
    pub common: Vec<Object>,
    /// Other templates at the top, which the specification reserves.
    pub others: Vec<Object>,
}

/// A card or account in the code (61).
#[derive(Clone, PartialEq, Eq)]
pub struct Application {
    /// The application's id (4F), 5 to 16 bytes.
    pub id: Vec<u8>,
    /// What else there is, in its order: label (50), track 2 equivalent (57), transparent template (63) and so on.
    pub objects: Vec<Object>,
}

impl fmt::Debug for ConsumerCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsumerCode({:?})", self.applications)
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {} objects", data_encoding::HEXUPPER.encode(&self.id), self.objects.len())
    }
}

/// Why a text is no consumer-presented code, or a code cannot be written. Nothing of the code itself is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsumerCodeError {
    #[error("the code has {0} characters, at most {CODE_LEN_MAX} are allowed")]
    TooLong(usize),
    #[error("it is no Base64 from character {offset}")]
    NotBase64 { offset: usize },
    #[error(transparent)]
    Ber(#[from] BerError),
    #[error("it does not begin with 85, CPV01")]
    NotConsumerPresented,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{tag:X} is there twice in a template")]
    Duplicate { tag: u32 },
    #[error("{tag:X} has {len} bytes instead of {min} to {max}")]
    Length { tag: u32, len: usize, min: usize, max: usize },
}

impl ConsumerCode {
    /// # Errors
    /// In this order: `TooLong`, `NotBase64`, what is no BER-TLV, `NotConsumerPresented`, then `Missing`, `Duplicate` and `Length`
    /// template by template.
    pub fn parse(text: &str) -> Result<Self, ConsumerCodeError> {
        let len = text.chars().count();
        if len > CODE_LEN_MAX {
            return Err(ConsumerCodeError::TooLong(len));
        }
        let bytes =
            BASE64.decode(text.as_bytes()).map_err(|error| ConsumerCodeError::NotBase64 { offset: error.position })?;
        let objects = ber::read(&bytes)?;
        let [format, templates @ ..] = objects.as_slice() else {
            return Err(ConsumerCodeError::NotConsumerPresented);
        };
        if *format != Object::bytes(FORMAT, FORMAT_VALUE) {
            return Err(ConsumerCodeError::NotConsumerPresented);
        }
        let (mut applications, mut common, mut others) = (Vec::new(), None, Vec::new());
        for template in templates {
            check(template.objects())?;
            match template.tag {
                APPLICATION => applications.push(application(template)?),
                COMMON if common.is_some() => return Err(ConsumerCodeError::Duplicate { tag: COMMON }),
                COMMON => common = Some(template.objects().to_vec()),
                FORMAT => return Err(ConsumerCodeError::Duplicate { tag: FORMAT }),
                _ => others.push(template.clone()),
            }
        }
        if applications.is_empty() {
            return Err(ConsumerCodeError::Missing("61"));
        }
        Ok(Self { applications, common: common.unwrap_or_default(), others })
    }

    /// # Errors
    /// As for the text that it would make.
    pub fn encode(&self) -> Result<String, ConsumerCodeError> {
        let mut objects = vec![Object::bytes(FORMAT, FORMAT_VALUE)];
        for application in &self.applications {
            let mut inner = vec![Object::bytes(APPLICATION_ID, application.id.as_slice())];
            inner.extend(application.objects.iter().cloned());
            objects.push(Object::template(APPLICATION, inner));
        }
        if !self.common.is_empty() {
            objects.push(Object::template(COMMON, self.common.clone()));
        }
        objects.extend(self.others.iter().cloned());
        let text = BASE64.encode(&ber::write(&objects)?);
        // Nothing is shown that we would refuse to read: so writing has no rules of its own.
        Self::parse(&text).map(|_| text)
    }
}

fn application(template: &Object) -> Result<Application, ConsumerCodeError> {
    let id = template.find(APPLICATION_ID).ok_or(ConsumerCodeError::Missing("61.4F"))?.to_vec();
    let objects = template.objects().iter().filter(|object| object.tag != APPLICATION_ID).cloned().collect();
    Ok(Application { id, objects })
}

/// No tag twice in a template, and lengths as the specification gives them, in templates within as well.
fn check(objects: &[Object]) -> Result<(), ConsumerCodeError> {
    for (idx, object) in objects.iter().enumerate() {
        let tag = object.tag;
        if objects[..idx].iter().any(|earlier| earlier.tag == tag) {
            return Err(ConsumerCodeError::Duplicate { tag });
        }
        match &object.value {
            Value::Objects(inner) => check(inner)?,
            Value::Bytes(bytes) => {
                let len = bytes.len();
                let bound = LENGTHS.iter().find(|(known, min, max)| *known == tag && !(*min..=*max).contains(&len));
                if let Some((_, min, max)) = bound {
                    return Err(ConsumerCodeError::Length { tag, len, min: *min, max: *max });
                }
            }
        }
    }
    Ok(())
}

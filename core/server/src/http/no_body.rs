//! Requests that say everything in their path.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde_json::Value;

use super::problem::{BODY_TOO_LARGE, BODY_UNREADABLE, INVALID, Problem};

/// Nothing, or `{}`: what somebody wrote beside it would be ignored, and they would not know.
pub struct NoBody;

impl FromRequest for NoBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            let body = body.await.map_err(|error| match error.as_response_error().status_code().as_u16() {
                413 => Problem::new(BODY_TOO_LARGE, "This takes no body."),
                _ => Problem::new(BODY_UNREADABLE, "The body did not arrive whole."),
            })?;
            if body.is_empty() {
                return Ok(Self);
            }
            match serde_json::from_slice::<Value>(&body) {
                Ok(Value::Object(fields)) if fields.is_empty() => Ok(Self),
                Ok(_) => Err(Problem::new(INVALID, "This takes no body, or an empty object.")),
                Err(_) => {
                    Err(Problem::new(BODY_UNREADABLE, "The body is no JSON. This takes none, or an empty object."))
                }
            }
        })
    }
}

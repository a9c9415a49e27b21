//! Names to addresses, by the system's resolver: one lookup for each name, however many calls wait for it.
//!
//! The system's resolver holds a thread for as long as a name server pleases, some 30 s, and cannot be told to stop. If every
//! call of a scheme whose name server hangs began one of its own, they would take the threads that the database works on.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Lookups under way at once: an eighth of the threads that tokio has for such work.
const LOOKUPS_MAX: usize = 64;

/// An error is text, since all that wait for a lookup get it.
type Found = Result<Vec<IpAddr>, String>;

/// The lookups under way, by name.
#[derive(Default)]
pub(super) struct Names(Mutex<HashMap<String, watch::Receiver<Option<Found>>>>);

impl Names {
    /// # Errors
    /// What the resolver says, or that there are too many lookups already.
    pub(super) async fn addresses_of(self: &Arc<Self>, name: &str) -> io::Result<Vec<IpAddr>> {
        let owned = name.to_owned();
        self.shared(name, async move {
            let found = tokio::net::lookup_host((owned.as_str(), 0)).await;
            found.map(|found| found.map(|address| address.ip()).collect()).map_err(|error| error.to_string())
        })
        .await
        .map_err(io::Error::other)
    }

    async fn shared(self: &Arc<Self>, name: &str, lookup: impl Future<Output = Found> + Send + 'static) -> Found {
        let mut answer = self.begun(name, lookup)?;
        let answer = answer.wait_for(Option::is_some).await.map_err(|_| "the lookup was cut off".to_owned())?;
        answer.clone().unwrap_or_else(|| Err("the lookup gave nothing".to_owned()))
    }

    /// The lookup of that name: the one under way, or `lookup`, which goes on whoever stops waiting for it.
    pub(super) fn begun(
        self: &Arc<Self>,
        name: &str,
        lookup: impl Future<Output = Found> + Send + 'static,
    ) -> Result<watch::Receiver<Option<Found>>, String> {
        let mut under_way = self.under_way();
        if let Some(answer) = under_way.get(name) {
            return Ok(answer.clone());
        }
        if under_way.len() >= LOOKUPS_MAX {
            return Err("too many names are being looked up".to_owned());
        }
        let (tell, answer) = watch::channel(None);
        under_way.insert(name.to_owned(), answer.clone());
        let (names, name) = (Arc::clone(self), name.to_owned());
        tokio::spawn(async move {
            let found = lookup.await;
            names.under_way().remove(&name);
            tell.send_replace(Some(found));
        });
        Ok(answer)
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Option<Found>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    fn found() -> Found {
        Ok(vec![IpAddr::from([192, 0, 2, 1])])
    }

    #[tokio::test]
    async fn all_that_wait_for_a_name_share_one_lookup() {
        let names = Arc::new(Names::default());
        let (answer, asked) = oneshot::channel::<()>();
        let first = names.shared("slow.example", async move {
            asked.await.map_err(|_| "nobody answered".to_owned())?;
            found()
        });
        // Whoever began it gives up; the lookup goes on.
        assert!(timeout(Duration::from_millis(5), first).await.is_err());
        let others = [(); 3].map(|()| names.shared("slow.example", async { Err("a second lookup".to_owned()) }));
        let answering = async { answer.send(()) };
        let [a, b, c] = others;
        let (a, b, c, sent) = tokio::join!(a, b, c, answering);
        assert_eq!((a, b, c, sent), (found(), found(), found(), Ok(())));
        // Done with, it is looked up anew.
        assert_eq!(
            names.shared("slow.example", async { Err("a new one".to_owned()) }).await,
            Err("a new one".to_owned())
        );
        assert!(names.under_way().is_empty());
    }

    #[tokio::test]
    async fn names_that_hang_have_an_end() {
        let names = Arc::new(Names::default());
        for n in 0..LOOKUPS_MAX {
            names.begun(&format!("{n}.example"), std::future::pending()).expect("room");
        }
        assert!(names.begun("one-more.example", std::future::pending()).is_err());
        assert!(names.begun("0.example", std::future::pending()).is_ok(), "one under way can be waited for");
    }

    #[tokio::test]
    async fn the_systems_resolver_is_asked() {
        let names = Arc::new(Names::default());
        let found = names.addresses_of("localhost").await.expect("every machine knows itself");
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
        assert!(names.addresses_of("no-such-name.invalid").await.is_err());
    }
}

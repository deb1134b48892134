//! How a browser lets us in.

use super::*;

#[tokio::test]
async fn a_browser_brings_a_code_and_strangers_do_not() {
    let pair = Pair::with(|file| {
        file.oauth.redirect_uri = Some("http://127.0.0.1:0/callback".to_owned());
        file.oauth.timeout = Some(Span::new(Duration::from_secs(20)));
    });
    let client = ClientSecret {
        id: "client-1".to_owned(),
        secret: "s3cr3t-0123456789".into(),
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    let browser = tokio::task::spawn_blocking(move || browse(&receiver.recv().unwrap()));
    let token = login(&pair.hf, &client, |url, _| sender.send(url.clone()).unwrap())
        .await
        .unwrap();
    browser.await.unwrap();
    assert_eq!((token.uid.as_deref(), token.scopes.len()), (Some("42"), 2));
    let exchange = pair.fake.requests().pop().unwrap();
    assert_eq!(exchange.path, "/api/v2/authorize");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&exchange.body).into_owned().collect();
    let expected = [
        ("grant_type", "authorization_code"),
        ("client_id", "client-1"),
        ("client_secret", "s3cr3t-0123456789"),
        ("code", "the-code"),
    ];
    assert_eq!(form, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert!(!format!("{token:?} {client:?}").contains("3cr3t"));
}

/// First what a stranger would do, then what a browser does.
fn browse(authorize: &url::Url) {
    use std::io::{Read as _, Write as _};
    let query = |name: &str| {
        authorize
            .query_pairs()
            .find(|(key, _)| key == name)
            .unwrap()
            .1
            .into_owned()
    };
    let redirect = url::Url::parse(&query("redirect_uri")).unwrap();
    assert_eq!((query("response_type").as_str(), query("state").len()), ("code", 48));
    let address = ("127.0.0.1", redirect.port().unwrap());
    let idle = std::net::TcpStream::connect(address).unwrap();
    let ask = |target: &str| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(ask("/favicon.ico"), "404");
    assert_eq!(ask("/callback?error=access_denied"), "400");
    assert_eq!(ask("/callback?code=evil&state=0"), "400");
    assert_eq!(ask(&format!("/callback?code=the-code&state={}", query("state"))), "200");
    drop(idle);
}

#[tokio::test]
async fn a_failed_exchange_says_why() {
    let pair = Pair::with(|file| file.oauth.redirect_uri = Some("http://127.0.0.1:0/callback".to_owned()));
    pair.fake
        .be(r#"{"success": false, "message": "INVALID_CODE s3cr3t-0123456789"}"#);
    let client = ClientSecret {
        id: "client-1".to_owned(),
        secret: "s3cr3t-0123456789".into(),
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    let browser = tokio::task::spawn_blocking(move || browse(&receiver.recv().unwrap()));
    let error = login(&pair.hf, &client, |url, _| sender.send(url.clone()).unwrap())
        .await
        .unwrap_err();
    browser.await.unwrap();
    let LoginError::Exchange(failure) = error else {
        panic!("{error:?}")
    };
    assert!(failure.to_string().contains("INVALID_CODE [redacted]"), "{failure}");
}

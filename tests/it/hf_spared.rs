//! What a refused call must not cost: what a rule bounds, a person's yes, Hack Forums' patience, our memory.

use serde_json::json;

use crate::hf::{ALL, Setting};

#[test]
fn a_back_off_is_kept_also_where_nothing_was_kept_before() {
    for mode in ["429", "header 200 x-rate-limit-remaining: 0"] {
        let setting = Setting::new(&[ALL]);
        let mut server = setting.server();
        setting.fake.be(mode);
        server.call("hf_me_read", json!({}));
        setting.fake.be("ok");
        // The same process, and the next.
        let mut next = setting.server();
        for server in [&mut server, &mut next] {
            let reply = server.call("hf_me_read", json!({}));
            assert!(
                reply.is_error && reply.text.starts_with("rate: "),
                "{mode}: {}",
                reply.text
            );
        }
        assert_eq!(setting.fake.requests().len(), 1, "{mode}");
    }
}

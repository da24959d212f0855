//! A browser as a child process, by `tests/browser/browser.mjs`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use crate::support::setting;

/// Longest wait for an answer; the script's own waits are shorter.
const LIMIT: Duration = Duration::from_secs(120);

/// A browser with one page. It ends when dropped.
pub(super) struct Browser {
    process: Child,
    stdin: ChildStdin,
    answers: mpsc::Receiver<String>,
    /// What the browser itself may write about a request that fails.
    expected: Vec<&'static str>,
}

impl Browser {
    pub(super) fn start() -> Self {
        let folder = setting("CDC_TEST_BROWSER")
            .expect("CDC_TEST_BROWSER is the folder of browser.mjs; use cargo xtask browser-test");
        let mut process = Command::new("node")
            .arg(Path::new(&folder).join("browser.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (
            process.stdin.take().unwrap(),
            process.stdout.take().unwrap(),
        );
        let (sender, answers) = mpsc::channel(1);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            process,
            stdin,
            answers,
            expected: Vec::new(),
        }
    }

    /// From now on the browser may say this.
    pub(super) fn expect(&mut self, error: &'static str) {
        self.expected.push(error);
    }

    pub(super) async fn open(&mut self, address: &str) {
        let answer = self.ask(json!({ "action": "open", "address": address }));
        assert_eq!(answer.await["status"], 200);
    }

    /// Waits until the headline contains this.
    pub(super) async fn headline(&mut self, text: &str) {
        self.ask(json!({ "action": "headline", "text": text }))
            .await;
    }

    pub(super) async fn text(&mut self, selector: &str) -> String {
        let question = json!({ "action": "text", "selector": selector });
        let answer = self.ask(question).await;
        answer["text"].as_str().unwrap().to_owned()
    }

    /// The number with which a text begins.
    pub(super) async fn number(&mut self, selector: &str) -> u64 {
        let text = self.text(selector).await.replace(',', "");
        let number = text.split(' ').next().unwrap().parse();
        number.unwrap_or_else(|_| panic!("no number begins {text:?}"))
    }

    /// Types a text, and Enter.
    pub(super) async fn enter(&mut self, selector: &str, text: &str) {
        self.ask(json!({ "action": "type", "selector": selector, "text": text }))
            .await;
    }

    /// Takes pictures, wide and narrow, light and dark; nothing in them may keep anybody from reading.
    pub(super) async fn look(&mut self, name: &str) {
        let folder = setting("CDC_TEST_PICTURES").unwrap_or_else(|| {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("status-page");
            folder.to_str().unwrap().to_owned()
        });
        let answer = self
            .ask(json!({ "action": "look", "name": name, "folder": folder }))
            .await;
        assert_eq!(answer["found"], json!([]), "{name}: {answer:#}");
    }

    pub(super) async fn is_reached_by_keyboard(&mut self) {
        let answer = self.ask(json!({ "action": "tab" })).await;
        assert!(3 <= answer["reached"].as_u64().unwrap(), "{answer}");
        assert_eq!(answer["hidden"], json!([]), "{answer}");
    }

    /// Does what the script can do. The page says nothing on its console meanwhile and asks no other host.
    async fn ask(&mut self, question: Value) -> Value {
        writeln!(self.stdin, "{question}").unwrap();
        let line = timeout(LIMIT, self.answers.recv()).await.unwrap();
        let answer: Value = serde_json::from_str(&line.expect("the browser is gone")).unwrap();
        assert_eq!(answer["failure"], Value::Null, "{answer:#}");
        assert_eq!(answer["foreign"], json!([]), "{answer:#}");
        let errors = answer["errors"].as_array().unwrap().iter();
        let is_expected = |error: &Value| {
            let text = error.as_str().unwrap();
            self.expected.iter().any(|expected| text.contains(expected))
        };
        let errors: Vec<_> = errors.filter(|error| !is_expected(error)).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        answer
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

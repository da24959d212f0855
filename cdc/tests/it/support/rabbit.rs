//! The broker's side: queues, and what arrived in them.

use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions,
        ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
        QueuePurgeOptions,
    },
    types::{AMQPValue, FieldTable},
};

use super::{DEADLINE, Scenario, eventually};

/// A message that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) properties: BasicProperties,
    pub(crate) routing_key: String,
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    pub(crate) fn message_id(&self) -> String {
        self.properties.message_id().as_ref().unwrap().to_string()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The field `n` of a document that `Scenario::insert_numbers` made.
    pub(crate) fn number(&self) -> i32 {
        i32::try_from(self.json()["n"].as_i64().unwrap()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let header = self.try_header(name);
        header.unwrap_or_else(|| panic!("no header {name} in {:?}", self.properties))
    }

    pub(crate) fn try_header(&self, name: &str) -> Option<String> {
        let headers = self.properties.headers().as_ref()?;
        Some(match headers.inner().get(name)? {
            lapin::types::AMQPValue::LongString(text) => text.to_string(),
            lapin::types::AMQPValue::LongLongInt(number) => number.to_string(),
            other => panic!("header {name}: {other:?}"),
        })
    }
}

/// The numbers of the first copies, by message id, in the order of their arrival.
pub(crate) fn first_copies(deliveries: &[Delivery]) -> Vec<i32> {
    let mut seen = std::collections::HashSet::new();
    deliveries
        .iter()
        .filter(|delivery| seen.insert(delivery.message_id()))
        .map(Delivery::number)
        .collect()
}

impl Scenario {
    /// Waits until nobody consumes from this scenario's queue: the broker notices the end of a consumer of a quorum
    /// queue a moment after its connection.
    pub(crate) async fn unread(&self) {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        eventually("nobody reads the queue", async || {
            let name = self.name.as_str().into();
            let look = self.channel().await;
            let look = look.queue_declare(name, options, FieldTable::default());
            look.await.unwrap().consumer_count() == 0
        })
        .await;
    }

    pub(crate) async fn channel(&self) -> Channel {
        self.rabbit.create_channel().await.unwrap()
    }

    /// Takes `count` messages from this scenario's queue, or fails after the deadline.
    pub(crate) async fn take(&self, count: usize) -> Vec<Delivery> {
        self.take_from(&self.name, count).await
    }

    /// Takes `count` messages from `queue`, or fails after the deadline.
    pub(crate) async fn take_from(&self, queue: &str, count: usize) -> Vec<Delivery> {
        let mut enough = |deliveries: &[Delivery]| deliveries.len() >= count;
        self.take_until(queue, &mut enough).await
    }

    /// Takes messages until the first copies of the numbers `0..count` are there; returns all copies.
    pub(crate) async fn take_numbers(&self, count: usize) -> Vec<Delivery> {
        self.take_numbers_from(&self.name, count).await
    }

    /// Takes messages until `number` is among them; returns all copies.
    pub(crate) async fn take_until_number(&self, number: i32) -> Vec<Delivery> {
        let mut enough = |deliveries: &[Delivery]| {
            let last = deliveries.last();
            last.is_some_and(|delivery| delivery.number() == number)
        };
        self.take_until(&self.name, &mut enough).await
    }

    /// Takes messages until `count` different ones are there; returns the first copies.
    pub(crate) async fn take_distinct(&self, count: usize) -> Vec<Delivery> {
        let mut seen = std::collections::HashSet::new();
        let mut looked_at = 0;
        let mut enough = |deliveries: &[Delivery]| {
            seen.extend(deliveries[looked_at..].iter().map(Delivery::message_id));
            looked_at = deliveries.len();
            seen.len() >= count
        };
        let mut deliveries = self.take_until(&self.name, &mut enough).await;
        let mut seen = std::collections::HashSet::new();
        deliveries.retain(|delivery| seen.insert(delivery.message_id()));
        deliveries
    }

    /// The same as [`Scenario::take_numbers`], from `queue`.
    pub(crate) async fn take_numbers_from(&self, queue: &str, count: usize) -> Vec<Delivery> {
        let mut seen = std::collections::HashSet::new();
        let mut looked_at = 0;
        let mut enough = |deliveries: &[Delivery]| {
            seen.extend(deliveries[looked_at..].iter().map(Delivery::number));
            looked_at = deliveries.len();
            seen.len() >= count
        };
        self.take_until(queue, &mut enough).await
    }

    /// Takes messages from `queue` until there are enough of them.
    pub(crate) async fn take_until(
        &self,
        queue: &str,
        enough: &mut dyn FnMut(&[Delivery]) -> bool,
    ) -> Vec<Delivery> {
        let channel = self.channel().await;
        let (options, mut arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        if self.is_stream() {
            // All that it has, whoever read it before; a stream is read only with a limit.
            let limit = BasicQosOptions::default();
            channel.basic_qos(1_000, limit).await.unwrap();
            let first = AMQPValue::LongString("first".into());
            arguments.insert("x-stream-offset".into(), first);
        }
        let mut consumer = channel
            .basic_consume(queue.into(), "test".into(), options, arguments)
            .await
            .unwrap();
        let mut deliveries = Vec::new();
        while !enough(&deliveries) {
            let next = tokio::time::timeout(DEADLINE, consumer.next()).await;
            let delivery =
                next.unwrap_or_else(|_| panic!("only {} messages arrived", deliveries.len()));
            let delivery = delivery.expect("the consumer goes on").unwrap();
            channel
                .basic_ack(delivery.delivery_tag, BasicAckOptions::default())
                .await
                .unwrap();
            deliveries.push(Delivery {
                routing_key: delivery.routing_key.to_string(),
                properties: delivery.properties,
                body: delivery.data,
            });
        }
        channel.close(200, "OK".into()).await.unwrap();
        deliveries
    }

    /// Whether its queue is a stream.
    fn is_stream(&self) -> bool {
        let mut settings = self.given().iter();
        settings.any(|(name, value)| name == "CDC_QUEUE_TYPE" && value == "stream")
    }

    /// Messages that are ready in this scenario's queue.
    pub(crate) async fn ready(&self) -> u32 {
        self.try_ready(&self.name).await.unwrap()
    }

    /// Messages that are ready in `queue`, if it exists.
    pub(crate) async fn try_ready(&self, queue: &str) -> Option<u32> {
        let channel = self.channel().await;
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let queue = channel
            .queue_declare(queue.into(), options, FieldTable::default())
            .await;
        queue.ok().map(|queue| queue.message_count())
    }

    /// Asserts that nothing is in this scenario's queue before a change that is made now; `number` is in no document.
    pub(crate) async fn nothing_comes_before(&self, number: i32) {
        self.insert_numbers(number..number + 1).await;
        let deliveries = self.take(1).await;
        assert_eq!(
            deliveries[0].number(),
            number,
            "a message that nobody expected"
        );
    }

    /// Asserts that nothing is in this scenario's queue.
    pub(crate) async fn is_empty(&self) {
        assert_eq!(self.ready().await, 0, "messages that nobody expected");
    }

    /// Declares this scenario's queue before the engine does, so that its checkpoint follows from the first event on.
    pub(crate) async fn declare_own(&self) {
        self.declare(&self.name, FieldTable::default()).await;
    }

    /// Declares a durable queue.
    pub(crate) async fn declare(&self, queue: &str, arguments: FieldTable) {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        self.channel()
            .await
            .queue_declare(queue.into(), options, arguments)
            .await
            .unwrap();
    }

    /// Deletes a queue with what it holds.
    pub(crate) async fn delete_queue(&self, queue: &str) {
        let (channel, options) = (self.channel().await, QueueDeleteOptions::default());
        channel.queue_delete(queue.into(), options).await.unwrap();
    }

    /// Declares a durable topic exchange.
    pub(crate) async fn declare_exchange(&self, exchange: &str) {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let (channel, kind) = (self.channel().await, lapin::ExchangeKind::Topic);
        channel
            .exchange_declare(exchange.into(), kind, options, FieldTable::default())
            .await
            .unwrap();
    }

    /// Deletes an exchange.
    pub(crate) async fn delete_exchange(&self, exchange: &str) {
        let (channel, options) = (self.channel().await, ExchangeDeleteOptions::default());
        channel
            .exchange_delete(exchange.into(), options)
            .await
            .unwrap();
    }

    /// Binds a queue to an exchange.
    pub(crate) async fn bind(&self, queue: &str, exchange: &str, key: &str) {
        let (channel, options) = (self.channel().await, QueueBindOptions::default());
        channel
            .queue_bind(
                queue.into(),
                exchange.into(),
                key.into(),
                options,
                FieldTable::default(),
            )
            .await
            .unwrap();
    }

    /// Throws away what is in a queue.
    pub(crate) async fn purge(&self, queue: &str) {
        self.channel()
            .await
            .queue_purge(queue.into(), QueuePurgeOptions::default())
            .await
            .unwrap();
    }
}

//! Settings that do not fit the servers. The mend is a setting, and with the one that fits there is a tick.

use super::{Report, healthy};
use crate::support::{amqp_uri, mongo_uri};

/// One setting that is wrong, and what is said of it.
struct Plant {
    settings: Vec<(&'static str, String)>,
    sign: char,
    what: &'static str,
    text: &'static str,
    mend: &'static str,
}

fn fault(
    variable: &'static str,
    value: impl Into<String>,
    what: &'static str,
    text: &'static str,
    mend: &'static str,
) -> Plant {
    Plant {
        settings: vec![(variable, value.into())],
        sign: '✗',
        what,
        text,
        mend,
    }
}

fn warning(mut plant: Plant) -> Plant {
    plant.sign = '⚠';
    plant
}

const MONGO: &str = "MONGO_DATABASE_HOST";
const RABBIT: &str = "RABBITMQ_URI";

fn of_mongodb(broker: &str) -> Vec<Plant> {
    let (uri, what) = (mongo_uri(), "mongodb: reachable");
    vec![
        fault(
            MONGO,
            "mongodb://127.0.0.1:1/?replicaSet=my-replica-set",
            what,
            "refused",
            MONGO,
        ),
        fault(
            MONGO,
            format!("mongodb://{broker}/?replicaSet=my-replica-set"),
            what,
            "mongodb",
            "",
        ),
        fault(
            MONGO,
            uri.clone() + "&tls=true",
            what,
            "does not speak TLS",
            "leave `tls=true` out",
        ),
        fault(
            MONGO,
            uri.replace("my-replica-set", "other"),
            what,
            "`other`",
            "correct `replicaSet=`",
        ),
        warning(fault(
            MONGO,
            uri + "&readConcernLevel=local",
            "mongodb: connection string",
            "`readConcernLevel=local` does not count",
            "",
        )),
        warning(fault(
            "CDC_COLLECTIONS",
            "nubmers",
            "mongodb: collections",
            "`nubmers` matches no collection",
            "`numbers`",
        )),
        warning(fault(
            "MONGO_DATABASE_NAME",
            "nowhere_at_all",
            "mongodb: collections",
            "no collections yet",
            "MONGO_DATABASE_NAME",
        )),
    ]
}

fn of_rabbitmq(broker: &str) -> Vec<Plant> {
    let what = "rabbitmq: reachable";
    let mongod = mongo_uri().replace("mongodb://", "");
    let mongod = mongod.split([',', '/']).next().unwrap().to_owned();
    vec![
        fault(
            RABBIT,
            "amqp://guest:guest@127.0.0.1:1",
            what,
            "connection refused",
            "RABBITMQ_HOST",
        ),
        fault(
            RABBIT,
            format!("amqp://guest:guest@{mongod}"),
            what,
            "MongoDB answers there",
            "RABBITMQ",
        ),
        fault(
            RABBIT,
            format!("amqp://guest:hunter2@{broker}"),
            what,
            "refused user `guest`",
            "RABBITMQ_DEFAULT_PASSWORD",
        ),
        fault(
            RABBIT,
            format!("amqp://guest:guest@{broker}/nowhere"),
            what,
            "virtual host `nowhere` does not exist",
            "RABBITMQ",
        ),
        fault(
            RABBIT,
            format!("amqps://guest:guest@{broker}"),
            what,
            "without TLS",
            "RABBITMQ",
        ),
        warning(fault(
            RABBIT,
            format!("amqp://guest:guest@{broker},127.0.0.1:1"),
            what,
            "127.0.0.1:1: connection refused",
            "RABBITMQ_HOST",
        )),
    ]
}

fn of_topology() -> Vec<Plant> {
    vec![
        fault(
            "CDC_QUEUE_TYPE",
            "quorum",
            "rabbitmq: queue",
            "is of type classic",
            "set CDC_QUEUE_TYPE",
        ),
        Plant {
            settings: vec![
                ("RABBITMQ_EXCHANGE", "amq.topic".to_owned()),
                ("CDC_ON_UNROUTABLE", "drop".to_owned()),
            ],
            sign: '⚠',
            what: "rabbitmq: unroutable",
            text: "is dropped",
            mend: "CDC_ON_UNROUTABLE",
        },
        Plant {
            settings: vec![
                ("CDC_DECLARE", "never".to_owned()),
                ("RABBITMQ_QUEUE_NAME", "nowhere_at_all".to_owned()),
            ],
            sign: '✗',
            what: "rabbitmq: queue",
            text: "`nowhere_at_all` does not exist",
            mend: "RABBITMQ_QUEUE_NAME",
        },
    ]
}

#[tokio::test]
async fn each_setting_that_does_not_fit_is_found_and_hides_nothing_of_the_other_server() {
    let mut scenario = healthy("check_set").await;
    let broker = amqp_uri().rsplit_once('@').unwrap().1.to_owned();
    let well = Report::of(&scenario).await;
    let given = scenario.given().to_vec();
    for plant in of_mongodb(&broker)
        .into_iter()
        .chain(of_rabbitmq(&broker))
        .chain(of_topology())
    {
        for (variable, value) in &plant.settings {
            scenario.set(variable, value);
        }
        let report = Report::of(&scenario).await;
        match plant.sign {
            '✗' => report.faults(plant.what, plant.text, plant.mend),
            _ => report.warns(plant.what, plant.text, plant.mend),
        };
        assert!(!report.text.contains("hunter2"), "{}", report.text);
        let (other, last) = if plant.what.starts_with("mongodb") {
            ("rabbitmq: reachable", "mongodb: oplog")
        } else {
            ("mongodb: change stream", "rabbitmq: queue")
        };
        report.ticks(other);
        if plant.sign == '✗' && plant.what.ends_with("reachable") {
            report.has('-', last, "cannot be used", "");
        }
        for (variable, _) in &plant.settings {
            let fitting = given.iter().find(|(name, _)| name == variable);
            match fitting {
                Some((_, value)) => scenario.set(variable, value),
                None => scenario.unset(variable),
            };
        }
        if plant.what != "mongodb: connection string" && plant.what != "rabbitmq: unroutable" {
            well.ticks(plant.what);
        }
    }
    let again = Report::of(&scenario).await;
    assert_eq!(again.code, Some(0), "{}", again.text);
}

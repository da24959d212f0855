use super::{
    Permission::{Configure, Read, Write},
    *,
};

fn queue(name: &str) -> Queue {
    Queue {
        name: name.to_owned(),
        kind: None,
        arguments: Arguments::default(),
    }
}

fn needs(declare: Declare, exchange: &str, parking: bool) -> [String; 3] {
    let topology = Topology {
        exchange: Exchange {
            name: exchange.to_owned(),
            ..Exchange::default()
        },
        queue: queue("q"),
        parking: parking.then(|| queue("q.parked")),
        declare,
    };
    let needs = topology.needs("lock");
    [Configure, Write, Read].map(|permission| needs.pattern(permission))
}

#[test]
fn nothing_is_asked_for_that_the_mode_does_not_need() {
    let default = "^amq\\.default$";
    let cases = [
        ((Declare::Never, "", true), ["^lock$", default, "^$"]),
        ((Declare::Missing, "", false), ["^(lock|q)$", default, "^$"]),
        (
            (Declare::Missing, "x", true),
            ["^(lock|q\\.parked)$", "^(amq\\.default|x)$", "^$"],
        ),
        (
            (Declare::All, "x", false),
            ["^(lock|q|x)$", "^(amq\\.default|q|x)$", "^x$"],
        ),
    ];
    for ((declare, exchange, parking), expected) in cases {
        assert_eq!(
            needs(declare, exchange, parking),
            expected,
            "{declare:?} {exchange}"
        );
    }
}

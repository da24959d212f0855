//! The panels as a dashboard of Grafana.

use cdc::metrics::catalogue::BUILD_INFO;
use serde_json::{Value, json};

use crate::panel::{Look, Panel, Row};

/// Columns of a dashboard.
const COLUMNS: usize = 24;

pub(crate) fn dashboard(rows: &[Row]) -> String {
    let mut panels = Vec::new();
    let mut y = 0;
    for row in rows {
        panels.push(json!({
            "type": "row", "title": row.title, "id": panels.len() + 1, "collapsed": false,
            "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 }, "panels": [],
        }));
        y += 1;
        let width = COLUMNS / row.panels.len();
        for (place, one) in row.panels.iter().enumerate() {
            let position = json!({ "x": place * width, "y": y, "w": width, "h": row.height });
            panels.push(panel(one, panels.len() + 1, &position));
        }
        y += row.height;
    }
    let dashboard = json!({
        "title": "cdc",
        "uid": "cdc-pipeline",
        "description": "Pipelines from MongoDB to RabbitMQ",
        "tags": ["cdc", "mongodb", "rabbitmq"],
        "schemaVersion": 38,
        "version": 1,
        "editable": true,
        "refresh": "10s",
        "time": { "from": "now-1h", "to": "now" },
        "timezone": "",
        "graphTooltip": 1,
        "templating": { "list": [source(), pipeline()] },
        "annotations": { "list": [] },
        "panels": panels,
    });
    format!("{dashboard:#}\n")
}

fn source() -> Value {
    json!({ "name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus" })
}

fn pipeline() -> Value {
    let query = format!("label_values({BUILD_INFO}, pipeline)");
    json!({
        "name": "pipeline", "label": "Pipeline", "type": "query", "datasource": datasource(),
        "definition": query, "query": { "query": query, "refId": "pipelines" },
        "refresh": 2, "sort": 1, "multi": true, "includeAll": true,
        "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
    })
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${source}" })
}

fn panel(panel: &Panel, id: usize, position: &Value) -> Value {
    let targets = panel.queries.iter().zip('A'..).map(|(query, letter)| {
        json!({
            "refId": letter.to_string(), "datasource": datasource(),
            "expr": query.text, "legendFormat": query.legend,
        })
    });
    let (kind, options) = match panel.look {
        Look::Lines => (
            "timeseries",
            json!({ "legend": { "displayMode": "list", "placement": "bottom" }, "tooltip": { "mode": "multi" } }),
        ),
        Look::Number => (
            "stat",
            json!({ "reduceOptions": { "calcs": ["lastNotNull"] }, "colorMode": "value", "graphMode": "area" }),
        ),
    };
    json!({
        "id": id, "type": kind, "title": panel.title, "description": panel.description(),
        "datasource": datasource(), "gridPos": position,
        "targets": targets.collect::<Vec<_>>(), "options": options,
        "fieldConfig": { "defaults": { "unit": panel.unit, "min": 0 }, "overrides": [] },
    })
}

//! What PostgreSQL's planner would do: `EXPLAIN`, never `ANALYZE`, so nothing is run.

use serde::Deserialize;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row};

/// A plan, as `EXPLAIN (FORMAT JSON)` writes it: a node, and those it reads from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PlanNode {
    /// Such as `Index Only Scan`.
    #[serde(rename = "Node Type")]
    pub kind: String,
    /// How it belongs to its parent; `InitPlan` and `SubPlan` deliver no rows to it.
    #[serde(rename = "Parent Relationship")]
    parent: Option<String>,
    /// In the planner's units: reading one page in sequence costs 1, unless configured otherwise.
    #[serde(rename = "Total Cost")]
    pub cost: f64,
    /// Rows it is expected to deliver.
    #[serde(rename = "Plan Rows")]
    pub rows: f64,
    /// The index that is scanned.
    #[serde(rename = "Index Name")]
    pub index: Option<String>,
    /// The part of the condition by which the index finds its entries.
    #[serde(rename = "Index Cond")]
    pub index_condition: Option<String>,
    /// The part of the condition that every row found is tested by.
    pub filter: Option<String>,
    /// The leading sort columns that the rows are already ordered by.
    #[serde(rename = "Presorted Key")]
    pub presorted: Vec<String>,
    plans: Vec<PlanNode>,
}

#[derive(Deserialize)]
struct Explained {
    #[serde(rename = "Plan")]
    plan: PlanNode,
}

impl PlanNode {
    /// The nodes whose rows it passes on.
    pub fn inputs(&self) -> impl Iterator<Item = &Self> {
        self.plans
            .iter()
            .filter(|node| !matches!(node.parent.as_deref(), Some("InitPlan" | "SubPlan")))
    }

    /// Itself and everything below it that passes rows on.
    pub fn descendants(&self) -> Vec<&Self> {
        let mut all = vec![self];
        let mut at = 0;
        while let Some(node) = all.get(at).copied() {
            all.extend(node.inputs());
            at += 1;
        }
        all
    }
}

/// The plan for a query with these values.
///
/// It is the plan for just these values (a custom plan), as queries that are not kept prepared get it.
///
/// # Errors
/// If PostgreSQL cannot be asked, or refuses the query.
pub async fn explain(
    connection: &mut PgConnection,
    sql: &str,
    params: &[String],
) -> Result<PlanNode, sqlx::Error> {
    let sql = format!("EXPLAIN (FORMAT JSON) {sql}");
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    for param in params {
        query = query.bind(param);
    }
    read(&query.fetch_one(connection).await?)
}

fn read(row: &PgRow) -> Result<PlanNode, sqlx::Error> {
    let Json(explained): Json<Vec<Explained>> = row.try_get(0)?;
    let first = explained.into_iter().next();
    first
        .map(|explained| explained.plan)
        .ok_or(sqlx::Error::RowNotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_without_its_subplans() {
        let text = r#"[{"Plan": {"Node Type": "Limit", "Total Cost": 1.5, "Plan Rows": 10, "Plans": [
            {"Node Type": "Result", "Parent Relationship": "InitPlan", "Total Cost": 1},
            {"Node Type": "Index Scan", "Parent Relationship": "Outer", "Index Name": "things_pkey",
             "Filter": "(a > 1)", "Total Cost": 1.25, "Plan Rows": 12, "Disabled": false}]}}]"#;
        let explained: Vec<Explained> = serde_json::from_str(text).unwrap();
        let kinds: Vec<&str> = explained[0]
            .plan
            .descendants()
            .into_iter()
            .map(|node| node.kind.as_str())
            .collect();
        assert_eq!(kinds, ["Limit", "Index Scan"]);
        let scan = explained[0].plan.inputs().next().unwrap();
        assert_eq!(
            (scan.index.as_deref(), scan.filter.is_some()),
            (Some("things_pkey"), true)
        );
    }
}

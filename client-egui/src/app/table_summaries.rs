//! The summaries of the table on the screen: asked for while they are shown, and only then.

use protocol::{
    Aggregate, AggregateOp, Buckets, Column, ColumnKind, GroupBy, GroupOrder, GroupTerm, ViewSpec,
};

use crate::model::{FacetKind, Model, Summary, SummaryId, SummarySpec, facet_kind};

/// How many values of a facet are asked for at first.
pub(super) const FACET_VALUES: u32 = 100;

/// About how many groups there are where rows are grouped by ranges.
const GROUP_RANGES: u32 = 20;

/// About how many bars a histogram has.
const HISTOGRAM_BARS: u32 = 24;

/// One summary of the table on the screen; none while nobody looks.
#[derive(Debug, Default)]
pub(super) struct ShownSummary {
    id: Option<SummaryId>,
}

impl ShownSummary {
    /// What the server has said of it.
    pub(super) fn of<'a>(&self, model: &'a Model) -> Option<&'a Summary> {
        model.summary(self.id?)
    }

    pub(super) fn id(&self) -> Option<SummaryId> {
        self.id
    }

    /// Keeps the summary that is wanted now, and no other.
    pub(super) fn want(&mut self, model: &mut Model, spec: Option<SummarySpec>, count: u32) {
        match (self.id, spec) {
            (None, None) => {}
            (Some(id), Some(spec)) => model.set_summary(id, spec),
            (None, Some(spec)) => self.id = Some(model.summarize(spec, count)),
            (Some(id), None) => {
                model.end_summary(id);
                self.id = None;
            }
        }
    }
}

/// Grand totals of columns.
pub(super) fn totals<'a>(
    view: ViewSpec,
    chosen: impl Iterator<Item = (&'a String, &'a AggregateOp)>,
) -> Option<SummarySpec> {
    let aggregates = aggregates(chosen);
    (!aggregates.is_empty()).then(|| SummarySpec {
        view,
        by: Vec::new(),
        aggregates,
        order: Vec::new(),
    })
}

/// The totals chosen, as a summary has them.
pub(super) fn aggregates<'a>(
    chosen: impl Iterator<Item = (&'a String, &'a AggregateOp)>,
) -> Vec<Aggregate> {
    let aggregate = |(column, op): (&String, &AggregateOp)| Aggregate {
        op: *op,
        column: Some(column.clone()),
    };
    chosen.map(aggregate).collect()
}

/// How rows are grouped by a column: by its values, or by ranges where nearly every row has its own.
pub(super) fn group_by(column: &Column) -> GroupBy {
    let in_ranges = matches!(
        column.kind,
        ColumnKind::Float | ColumnKind::Numeric | ColumnKind::Timestamp | ColumnKind::TimestampTz
    );
    GroupBy {
        column: column.name.clone(),
        buckets: in_ranges.then_some(Buckets::Count(GROUP_RANGES)),
    }
}

/// A column's values with their counts: the most frequent first, or in ranges.
pub(super) fn facet(view: ViewSpec, column: &Column) -> Option<SummarySpec> {
    let (buckets, order) = match facet_kind(column)? {
        FacetKind::Histogram => (Some(Buckets::Count(HISTOGRAM_BARS)), Vec::new()),
        FacetKind::Values => {
            let most_first = GroupOrder {
                by: GroupTerm::Value(0),
                descending: true,
                nulls: None,
            };
            (None, vec![most_first])
        }
    };
    Some(SummarySpec {
        view,
        by: vec![GroupBy {
            column: column.name.clone(),
            buckets,
        }],
        aggregates: Vec::new(),
        order,
    })
}

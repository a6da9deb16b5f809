//! An encoder's input, and what its tables get.

use super::batch::Batch;
use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::memory::Numbers;
use super::shapes::{self, Chunks, groups};
use super::state::{FLOAT, Gradients, Parameters};
use crate::core::ops::backend::{Norm, Tables};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;

impl<D: Driver> CudaBackend<D> {
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub(super) fn embed_rows(
        &self,
        parameters: &Parameters<D>,
        tables: &Tables,
        norm: &Norm,
        dropout: Dropout,
        batch: &Batch<D>,
        sum: &mut Numbers<D>,
        statistics: &mut Numbers<D>,
        out: &mut Numbers<D>,
    ) -> Result<()> {
        batch.check(tables)?;
        let (rows, width) = (batch.rows(), tables.width);
        let (low, high) = dropout.key_halves();
        self.card.run(
            "embed",
            [rows, 1, 1],
            shapes::row(width)?,
            0,
            arguments![
                parameters.floats(tables.words, tables.vocabulary * width)?,
                parameters.floats(tables.positions, tables.max_positions * width)?,
                parameters.floats(tables.types, width)?,
                parameters.floats(norm.weight, width)?,
                parameters.floats(norm.bias, width)?,
                norm.epsilon,
                width,
                tables.first_position,
                batch.ids(),
                batch.starts(),
                batch.sequences(),
                low,
                high,
                dropout.threshold(),
                dropout.kept(),
                self.fit(sum, rows * width)?,
                self.fit_floats(statistics, rows * 2)?,
                self.fit(out, rows * width)?,
            ],
        )
    }

    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub(super) fn embed_rows_backward(
        &self,
        parameters: &Parameters<D>,
        tables: &Tables,
        norm: &Norm,
        dropout: Dropout,
        batch: &Batch<D>,
        sum: &Numbers<D>,
        statistics: &Numbers<D>,
        grad: &mut Numbers<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        let (rows, width) = (batch.rows(), tables.width);
        let (occurrence_starts, occurrences) = batch.occurrences(gradients.words.len())?;
        let chunks = Chunks::new(rows);
        let grad = grad.at_least(rows * width)?;
        let partials = gradients.partials.fit(&self.card, chunks.count * 3 * width * FLOAT)?;
        let (low, high) = dropout.key_halves();
        self.card.run(
            "embed_backward",
            [chunks.count, 1, 1],
            shapes::row(width)?,
            0,
            arguments![
                parameters.floats(norm.weight, width)?,
                rows,
                width,
                chunks.rows,
                low,
                high,
                dropout.threshold(),
                dropout.kept(),
                sum.at_least(rows * width)?,
                statistics.at_least(rows * 2)?,
                grad,
                partials,
            ],
        )?;
        let targets = [norm.weight, norm.bias, tables.types];
        self.add_partials(partials, chunks.count, width, &targets, gradients)?;
        if !gradients.accumulate {
            // Every token is of type 0.
            let others = (tables.max_types - 1) * width;
            self.fill(gradients.at(tables.types + width, others)?, others)?;
        }

        let (in_32, block) = (groups(width).div_ceil(32), [32, 4, 1]);
        let positions = tables.max_positions;
        self.card.run(
            "position_gradients",
            [positions, in_32, 1],
            block,
            0,
            arguments![
                batch.starts(),
                batch.sequences(),
                tables.first_position,
                width,
                grad,
                gradients.at(tables.positions, positions * width)?,
                gradients.accumulate,
            ],
        )?;
        self.card.run(
            "word_gradients",
            [gradients.words.len(), in_32, 1],
            block,
            0,
            arguments![
                occurrence_starts,
                occurrences,
                width,
                grad,
                gradients.word_rows.start(),
                gradients.accumulate,
            ],
        )
    }
}

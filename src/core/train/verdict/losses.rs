//! The training losses of a run of any length in bounded memory, for averages over windows.

/// The most blocks; with more, neighbouring blocks are merged.
const MAX_BLOCKS: usize = 512;

/// The fewest steps of a window.
const MIN_WINDOW: u64 = 20;

/// The number of first losses whose average is the loss at the beginning.
const FIRST: u64 = 10;

/// The losses of consecutive steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Block {
    first: u64,
    last: u64,
    count: u64,
    sum: f64,
    squares: f64,
}

impl Block {
    fn variance(self) -> f64 {
        let mean = self.sum / self.count as f64;
        (self.squares / self.count as f64 - mean * mean).max(0.0)
    }

    fn merged(self, other: Self) -> Self {
        Self {
            first: self.first,
            last: other.last,
            count: self.count + other.count,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }
}

/// The average loss over a range of steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// The first step.
    pub first: u64,
    /// The last step.
    pub last: u64,
    /// The average loss.
    pub mean: f64,
    /// The number of losses.
    count: f64,
    /// The square of the standard error of the average.
    squared_error: f64,
}

impl Window {
    fn of(blocks: &[Block]) -> Option<Self> {
        let whole = blocks.iter().copied().reduce(Block::merged)?;
        let count = whole.count as f64;
        let mean = whole.sum / count;
        let squared_error = whole.variance() / count;
        Some(Self { first: whole.first, last: whole.last, mean, count, squared_error })
    }

    /// Whether the average is above a value by more than three standard errors, the losses of steps
    /// having this standard deviation.
    pub fn is_clearly_above(&self, value: f64, deviation: f64) -> bool {
        self.mean - 3.0 * deviation / self.count.sqrt() > value
    }

    /// The standard error of the difference of two averages.
    pub fn error_of_difference(&self, other: &Self) -> f64 {
        (self.squared_error + other.squared_error).sqrt()
    }
}

/// The losses, and their average at the beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TrainLosses {
    blocks: Vec<Block>,
    /// Steps of a full block; 0 counts as 1.
    size: u64,
    first: f64,
    first_count: u64,
    /// The loss of the first step, before any change of the model.
    untrained: Option<f64>,
}

impl TrainLosses {
    /// Adds a loss; one that is not finite is left out.
    pub fn push(&mut self, step: u64, loss: f64) {
        if !loss.is_finite() {
            return;
        }
        if self.blocks.last().is_some_and(|block| block.last >= step) {
            self.truncate(step.saturating_sub(1));
        }
        self.untrained.get_or_insert(loss);
        if self.first_count < FIRST {
            self.first_count += 1;
            self.first += (loss - self.first) / self.first_count as f64;
        }
        let new = Block { first: step, last: step, count: 1, sum: loss, squares: loss * loss };
        let size = self.size.max(1);
        match self.blocks.last_mut().filter(|block| block.count < size) {
            Some(block) => *block = block.merged(new),
            None => self.blocks.push(new),
        }
        if self.blocks.len() > MAX_BLOCKS {
            let pairs = self.blocks.chunks(2);
            let merge = |pair: &[Block]| pair.iter().copied().reduce(Block::merged);
            self.blocks = pairs.filter_map(merge).collect();
            self.size = 2 * size;
        }
    }

    /// Removes the blocks that have steps after `step`.
    pub fn truncate(&mut self, step: u64) {
        self.blocks.retain(|block| block.last <= step);
        if self.blocks.is_empty() {
            *self = Self::default();
        }
    }

    /// The number of losses.
    pub fn count(&self) -> u64 {
        self.blocks.iter().map(|block| block.count).sum()
    }

    /// The average of the first losses.
    pub fn first(&self) -> f64 {
        self.first
    }

    /// The loss of the first step, which the untrained model has; 0 without steps.
    pub fn untrained(&self) -> f64 {
        self.untrained.unwrap_or(0.0)
    }

    /// The standard deviation of all losses; 0 without steps.
    pub fn deviation(&self) -> f64 {
        self.blocks.iter().copied().reduce(Block::merged).map_or(0.0, |all| all.variance().sqrt())
    }

    /// The number of blocks that have at least `steps` steps.
    fn blocks_of(&self, steps: u64) -> usize {
        steps.div_ceil(self.size.max(1)) as usize
    }

    /// The window of the latest steps, at least `steps` of them; `None` if there are fewer.
    pub fn last_steps(&self, steps: u64) -> Option<Window> {
        Window::of(&self.blocks[self.blocks.len().checked_sub(self.blocks_of(steps))?..])
    }

    /// The window of at least `steps` steps with the highest average; `None` if there are fewer.
    pub fn highest_window(&self, steps: u64) -> Option<Window> {
        let windows = self.blocks.windows(self.blocks_of(steps)).filter_map(Window::of);
        windows.max_by(|a, b| a.mean.total_cmp(&b.mean))
    }

    /// The number of blocks of a window: a tenth of all, with enough steps.
    fn window_blocks(&self) -> usize {
        (self.blocks.len() / 10).max(self.blocks_of(MIN_WINDOW))
    }

    /// The window of the latest steps.
    pub fn last_window(&self) -> Option<Window> {
        Window::of(&self.blocks[self.blocks.len().checked_sub(self.window_blocks())?..])
    }

    /// The window with the lowest average.
    pub fn best_window(&self) -> Option<Window> {
        let windows = self.blocks.windows(self.window_blocks()).filter_map(Window::of);
        windows.min_by(|a, b| a.mean.total_cmp(&b.mean))
    }

    /// The window of the steps up to `step`, which may be shorter at the beginning of a run.
    pub fn window_until(&self, step: u64) -> Option<Window> {
        let end = self.blocks.partition_point(|block| block.last <= step);
        Window::of(&self.blocks[end.saturating_sub(self.window_blocks())..end])
    }
}

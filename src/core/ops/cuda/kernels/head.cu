/* The last layer, in float, and the loss. */

/* One warp per logit; blockDim.y of them in a block. */
KERNEL classify(const float *weight, const float *bias, u32 inputs, u32 outputs, const act *x,
                float *logits)
{
    u32 output = blockIdx.y * blockDim.y + threadIdx.y;
    if (output >= outputs) {
        return;
    }
    const act *row = x + (u64)blockIdx.x * inputs;
    const float *factors = weight + (u64)output * inputs;
    float sum = 0.0f;
    for (u32 column = 4 * threadIdx.x; column < inputs; column += 128) {
        u32 count = columns_left(column, inputs);
        float values[4];
        float factor[4];
        load_four(row + column, count, values);
        load_four_floats(factors + column, count, factor);
        for (u32 i = 0; i < 4; i++) {
            sum += values[i] * factor[i];
        }
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) {
        logits[(u64)blockIdx.x * outputs + output] = bias[output] + sum;
    }
}

/* One thread per element of dx. */
KERNEL classify_backward_input(const float *weight, u32 inputs, u32 outputs, const float *grad,
                               act *dx)
{
    u32 column = blockIdx.y * blockDim.x + threadIdx.x;
    if (column < inputs) {
        const float *slopes = grad + (u64)blockIdx.x * outputs;
        float sum = 0.0f;
        for (u32 output = 0; output < outputs; output++) {
            sum += slopes[output] * weight[(u64)output * inputs + column];
        }
        dx[(u64)blockIdx.x * inputs + column] = to_act(sum);
    }
}

/* One block per class and 32 columns; its 8 rows of threads alternate over rows, and their sums are
 * added from the first to the last. */
KERNEL classify_backward_weight(u32 rows, u32 inputs, u32 outputs, const act *x, const float *grad,
                                float *dweight, int accumulate)
{
    __shared__ float sums[8][32];
    u32 column = blockIdx.y * 32 + threadIdx.x;
    float sum = 0.0f;
    if (column < inputs) {
        for (u32 row = threadIdx.y; row < rows; row += 8) {
            float slope = grad[(u64)row * outputs + blockIdx.x];
            sum += slope * to_float(x[(u64)row * inputs + column]);
        }
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < inputs) {
        float *target = dweight + (u64)blockIdx.x * inputs + column;
        sum = accumulate ? *target : 0.0f;
        for (u32 i = 0; i < 8; i++) {
            sum += sums[i][threadIdx.x];
        }
        *target = sum;
    }
}

/* The loss of one row, its gradient and its highest class. In double, because a loss near zero is
 * the difference of two large numbers. */
DEVICE double loss_of_row(const float *logits, u32 classes, u32 label, float smoothing,
                          float factor, float *grad, u32 *predicted)
{
    u32 best = 0;
    double mean = 0.0;
    for (u32 class_ = 0; class_ < classes; class_++) {
        best = logits[class_] > logits[best] ? class_ : best;
        mean += (double)logits[class_];
    }
    mean /= (double)classes;
    double highest = (double)logits[best];
    double sum = 0.0;
    for (u32 class_ = 0; class_ < classes; class_++) {
        sum += exp((double)logits[class_] - highest);
    }
    double log_sum = highest + log(sum);
    double smooth = (double)smoothing;
    for (u32 class_ = 0; class_ < classes; class_++) {
        double target = smooth / (double)classes + (class_ == label ? 1.0 - smooth : 0.0);
        double slope = exp((double)logits[class_] - log_sum) - target;
        grad[class_] = factor * (float)slope;
    }
    *predicted = best;
    double own = label < classes ? (double)logits[label] : (double)__uint_as_float(0x7fc00000u);
    return (1.0 - smooth) * (log_sum - own) + smooth * (log_sum - mean);
}

/* One block; its threads alternate over rows. */
BOUNDED_KERNEL(256, 1) cross_entropy(u32 rows, u32 classes, float smoothing, float factor,
                                  const u32 *labels, const float *logits, float *grad,
                                  u32 *predicted, float *loss)
{
    double sum = 0.0;
    for (u32 row = threadIdx.x; row < rows; row += blockDim.x) {
        u64 at = (u64)row * classes;
        sum += loss_of_row(logits + at, classes, labels[row], smoothing, factor, grad + at,
                           predicted + row);
    }
    sum = block_sum_double(sum);
    if (threadIdx.x == 0) {
        *loss += (float)((double)factor * sum);
    }
}

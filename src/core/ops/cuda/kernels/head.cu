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

/* The weight of a row; the bits of a float, or none if all weights are 1. */
DEVICE float weight_of(const u32 *weights, u32 row)
{
    return weights ? __uint_as_float(weights[row]) : 1.0f;
}

/* One block; its threads alternate over rows. */
BOUNDED_KERNEL(256, 1) cross_entropy(u32 rows, u32 classes, float smoothing, float factor,
                                  int is_reported, const u32 *labels, const u32 *weights,
                                  const float *logits, float *grad, u32 *predicted, float *loss)
{
    double sum = 0.0;
    for (u32 row = threadIdx.x; row < rows; row += blockDim.x) {
        u64 at = (u64)row * classes;
        float weight = weight_of(weights, row);
        sum += (double)weight * loss_of_row(logits + at, classes, labels[row], smoothing,
                                            factor * weight, grad + at, predicted + row);
    }
    sum = block_sum_double(sum);
    if (threadIdx.x == 0 && is_reported) {
        *loss += (float)((double)factor * sum);
    }
}

/* The logarithm of the sum of exponentials of a row, in double. */
DEVICE double log_sum_of(const float *logits, u32 classes)
{
    double highest = (double)logits[0];
    for (u32 class_ = 1; class_ < classes; class_++) {
        highest = (double)logits[class_] > highest ? (double)logits[class_] : highest;
    }
    double sum = 0.0;
    for (u32 class_ = 0; class_ < classes; class_++) {
        sum += exp((double)logits[class_] - highest);
    }
    return highest + log(sum);
}

/* KL(p, q) + KL(q, p) of two rows of logits, whose gradients are added to theirs. */
DEVICE double divergence_of_rows(const float *p, const float *q, u32 classes, float factor,
                                 float *grad_p, float *grad_q)
{
    double log_sum_p = log_sum_of(p, classes);
    double log_sum_q = log_sum_of(q, classes);
    double forward = 0.0;
    double reverse = 0.0;
    for (u32 class_ = 0; class_ < classes; class_++) {
        double log_p = (double)p[class_] - log_sum_p;
        double log_q = (double)q[class_] - log_sum_q;
        forward += exp(log_p) * (log_p - log_q);
        reverse += exp(log_q) * (log_q - log_p);
    }
    for (u32 class_ = 0; class_ < classes; class_++) {
        double log_p = (double)p[class_] - log_sum_p;
        double log_q = (double)q[class_] - log_sum_q;
        double difference = log_p - log_q;
        double own = exp(log_p);
        double other = exp(log_q);
        grad_p[class_] += factor * (float)(own * (difference - forward) + own - other);
        grad_q[class_] += factor * (float)(other * (-difference - reverse) + other - own);
    }
    return forward + reverse;
}

/* One block; its threads alternate over pairs of rows. */
BOUNDED_KERNEL(256, 1) divergence(u32 pairs, u32 classes, float factor, const u32 *weights,
                               const float *logits, float *grad, float *loss)
{
    double sum = 0.0;
    for (u32 row = threadIdx.x; row < pairs; row += blockDim.x) {
        u64 first = (u64)row * classes;
        u64 second = (u64)(pairs + row) * classes;
        float weight = weight_of(weights, row);
        sum += (double)weight * divergence_of_rows(logits + first, logits + second, classes,
                                                   factor * weight, grad + first, grad + second);
    }
    sum = block_sum_double(sum);
    if (threadIdx.x == 0) {
        *loss += (float)((double)factor * sum);
    }
}

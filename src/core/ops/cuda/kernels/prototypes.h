/* The prototypes and launch shapes of all kernels of the CUDA backend.
 *
 * The sources are one translation unit. Concatenate, in this order:
 *   common.cuh tensor_cores.cuh memory.cu reduce.cu norm.cu embedding.cu activation.cu attention.cu
 *   attention_backward.cu attention_tensor.cu attention_tensor_backward.cu relative.cu head.cu
 *   pretraining.cu adamw.cu token_rows.cu
 * and compile that twice: with -DACTIVATION_BF16 for activations in bf16, without it for f32. This
 * file is documentation that the emulator (emulator.c) checks the kernels against; NVRTC does not
 * need it. No header is included and no option is required; do not pass --use_fast_math.
 *
 * Types of arguments: `act` is the element of activations, unsigned short (bf16) or float; `u32` is
 * unsigned int, `u64` unsigned long long, `int` 32 bits. A pointer is to the first element of the
 * slice: `const float *bias` is the address of the parameters + 4 × the start of the bias, and so
 * on. Matrices are row-major. No pointer needs an alignment beyond its element's, except for
 * attention on tensor cores; four neighbours are loaded at once where the alignment allows it.
 *
 * Dropout is four arguments: `low`, `high` (halves of the key), `threshold` and `kept` (the factor
 * of kept elements). Without dropout: 0, 0, 0, 1.
 *
 * `accumulate`: 0 overwrites the target, any other value adds to it.
 *
 * Launch shapes; grid and block are given as (x, y, z), unnamed dimensions are 1:
 *   ROW(width)    = 32 × ceil(width / 128) threads: four columns per thread; width <= 4096.
 *   GROUPS(width) = ceil(width / 4).
 *   CHUNK(rows)   = max(4, ceil(rows / 256)) rows per chunk, CHUNKS(rows) = ceil(rows / CHUNK(rows)):
 *                   the split of rows for sums over rows in two stages. It depends only on the
 *                   number of rows, so that the order of additions is the same everywhere. The
 *                   first stage writes one row of partial sums per chunk, add_partials adds them.
 * "Shared" is the dynamic shared memory in bytes; it is never more than 48 KiB.
 * A grid dimension must not be 0: if there is nothing to do, the kernel is not launched.
 */

/* ---- memory.cu: no shared memory, block (256), grid (min(4096, ceil(n / 256))) ---- */

/* to[i] = value. */
KERNEL fill(float *to, u64 n, float value);

/* Sets first_len and second_len elements to 0: the rows after those of two matrices, which a GEMM
 * adds up. n is the sum of both. */
KERNEL clear_both(act *first, u64 first_len, act *second, u64 second_len);

/* to[i] = from[i] rounded to the type of activations: the copy of parameters that GEMMs read. */
KERNEL to_activations(const float *from, act *to, u64 n);

/* out[b] = x[starts[b]], rows of `width`. grid (batch, ceil(GROUPS(width) / 128)), block (128). */
KERNEL gather_first(const u32 *starts, u32 width, const act *x, act *out);

/* dx[starts[b]] += grad[b], rows of `width`.
 * grid (batch, ceil(GROUPS(width) / 128)), block (128). */
KERNEL scatter_add_first(const u32 *starts, u32 width, const act *grad, act *dx);

/* out[b] = mean of x[starts[b]..starts[b + 1]], rows of `width`.
 * grid (batch, ceil(GROUPS(width) / 128)), block (128). */
KERNEL mean_rows(const u32 *starts, u32 width, const act *x, act *out);

/* dx[starts[b]..starts[b + 1]] = grad[b] / the number of these rows.
 * grid (batch, ceil(GROUPS(width) / 128)), block (128). */
KERNEL mean_rows_backward(const u32 *starts, u32 width, const act *grad, act *dx);

/* x[r] += bias for every row. grid (rows, ceil(GROUPS(width) / 128)), block (128). */
KERNEL add_bias(act *x, const float *bias, u32 width);

/* ---- reduce.cu ---- */

/* partials[chunk] = sums of the columns of x over the chunk's rows; x is [rows, width], partials
 * [CHUNKS(rows), width]; `chunk` = CHUNK(rows).
 * grid (CHUNKS(rows), ceil(GROUPS(width) / 64)), block (64). Then add_partials. */
KERNEL column_sums(const act *x, u32 rows, u32 width, u32 chunk, float *partials);

/* The second stage: partials is [count, targets, width]; first, second and third are [width] each
 * and receive the sums over `count` of the first, second and third of the middle dimension
 * (null beyond `targets`). grid (ceil(width / 32), targets), block (32, 8). */
KERNEL add_partials(const float *partials, u32 count, u32 width, float *first, float *second,
                    float *third, int accumulate);

/* partials[block] = the sum of squares of the elements of x, [n], that the block handles; partials
 * is double[blocks]. grid (blocks), block (256), with blocks = min(1024, ceil(n / 4096)). */
KERNEL squared_sums(const float *x, u64 n, double *partials);

/* ---- embedding.cu ---- */

/* sum[r] = tokens[ids[r]] + positions[position_ids[r]] + types[type_ids[r]];
 * out = dropout(LN(sum)); statistics [rows, 2]. starts is [batch + 1]. Without type_ids (null) all
 * types are 0, and without types (null) the last term is left out; without position_ids (null) they
 * are first_position + the position of r in its sequence.
 * grid (rows), block (ROW(width)). */
KERNEL embed(const float *tokens, const float *positions, const float *types, const float *scale,
             const float *shift, float epsilon, u32 width, u32 first_position, const u32 *ids,
             const u32 *starts, u32 batch, const u32 *type_ids, const u32 *position_ids, u32 low,
             u32 high, u32 threshold, float kept, act *sum, float *statistics, act *out);

/* Replaces grad, the gradient of embed's out, by the gradient of sum. partials is
 * [CHUNKS(rows), sums, width]: the gradients of scale, shift and, if `sums` is 3, type 0's row; it
 * is 2 without a table of types. `chunk` = CHUNK(rows). type_ids as in embed.
 * grid (CHUNKS(rows)), block (ROW(width)). Then add_partials with these targets, fill the other
 * types' rows with 0 unless accumulating, and with type_ids add to them with token_gradients. */
KERNEL embed_backward(const float *scale, u32 rows, u32 width, u32 chunk, const u32 *type_ids,
                      u32 low, u32 high, u32 threshold, float kept, const act *sum,
                      const float *statistics, act *grad, float *partials, u32 sums);

/* sum[p, r] = start[r] + shares[p] * (end[r] - start[r]), start and end are [rows, width];
 * out = LN(sum); statistics [points * rows, 2]. grid (points * rows), block (ROW(width)). */
KERNEL embed_between(const act *start, const act *end, const float *shares, u32 rows,
                     const float *scale, const float *shift, float epsilon, u32 width, act *sum,
                     float *statistics, act *out);

/* slopes[p * rows + r] = the gradient of sum[p, r], from grad, that of embed_between's out, times
 * end[r] - start[r], summed over the columns. grid (points * rows), block (ROW(width)). */
KERNEL embed_between_backward(const float *scale, const act *start, const act *end, u32 rows,
                              u32 width, const act *sum, const float *statistics,
                              const act *grad, float *slopes);

/* token_rows[t] = sum of grad over the rows in which distinct token t occurs; token_rows is
 * [distinct, width]. Also for rows of other tables whose tokens are listed. grid (distinct, ceil(GROUPS(width) / 32)), block (32, 4). */
KERNEL token_gradients(const u32 *occurrence_starts, const u32 *occurrences, u32 width,
                      const act *grad, float *token_rows, int accumulate);

/* positions is the gradient of the whole table, [max_positions, width]; rows without a token are
 * set to 0, or left unchanged if accumulating. For position_ids of null.
 * grid (max_positions, ceil(GROUPS(width) / 32)), block (32, 4). */
KERNEL position_gradients(const u32 *starts, u32 batch, u32 first_position, u32 width,
                          const act *grad, float *positions, int accumulate);

/* ---- norm.cu ---- */

/* x = residual + dropout(x + bias), in place; out = LN(x); statistics [rows, 2]. packed_rows[r] is
 * the packed row of row r, which numbers it for dropout (starts with first_only); null if it is r.
 * grid (rows), block (ROW(width)). */
KERNEL add_norm(const float *bias, const float *scale, const float *shift, float epsilon, u32 width,
                const u32 *packed_rows, u32 low, u32 high, u32 threshold, float kept, act *x,
                const act *residual, float *statistics, act *out);

/* Replaces grad, the gradient of out, by the gradient of residual; dx = the gradient of the
 * original x. partials [CHUNKS(rows), 3, width]: the gradients of scale, shift and bias; `chunk` =
 * CHUNK(rows).
 * grid (CHUNKS(rows)), block (ROW(width)). Then add_partials with 3 targets. */
KERNEL add_norm_backward(const float *scale, u32 rows, u32 width, u32 chunk, const u32 *packed_rows,
                         u32 low, u32 high, u32 threshold, float kept, const act *x,
                         const float *statistics, act *grad, act *dx, float *partials);

/* ---- activation.cu; activation: 0 identity, 1 gelu, 2 gelu by tanh, 3 relu, 4 tanh ---- */

/* x += bias (null: none), in place; out = dropout(activation(x)); [rows, width].
 * grid (rows, ceil(GROUPS(width) / 128)), block (128). */
KERNEL activate(const float *bias, int activation, u32 width, u32 low, u32 high, u32 threshold,
                float kept, act *x, act *out);

/* Replaces grad, the gradient of out, by the gradient of x. partials [CHUNKS(rows), width]: the
 * gradient of the bias, null if there is none; `chunk` = CHUNK(rows).
 * grid (CHUNKS(rows), ceil(GROUPS(width) / 64)), block (64). Then add_partials with 1 target. */
KERNEL activate_backward(int activation, u32 rows, u32 width, u32 chunk, u32 low, u32 high,
                         u32 threshold, float kept, const act *x, act *grad, float *partials);

/* ---- attention.cu, attention_backward.cu ----
 * Block (128); shared (64 × (4 × GROUPS(width) + 4) + 1152) × 4 bytes, width <= 128 being that of a
 * head. `queries` is the matrix of queries, of rows `query_stride` wide, where the heads' queries
 * start in column `query_start`; `keys` is that of keys and values (it may be the same).
 * With first_only there is one query row per sequence.
 * TILES(n) = ceil(n / 32), SLICES(width) = ceil(width / 64); `longest` is the longest sequence. */

/* out [query rows, heads × width]; statistics [query rows, heads]: log-sum-exp of scaled scores.
 * relative [query rows, heads, longest]: what is added to the scores before they are scaled; or null.
 * grid (batch, heads, (first_only ? 1 : TILES(longest)) × SLICES(width)). */
KERNEL attention(const u32 *starts, u32 heads, u32 width, float scale, int first_only,
                 const act *queries, u32 query_stride, u32 query_start, const act *keys,
                 u32 key_stride, u32 key_start, u32 value_start, u32 low, u32 high, u32 threshold,
                 float kept, const float *relative, u32 longest, act *out, float *statistics);

/* The gradient of the queries, into the columns from query_start on of dqueries, whose rows are
 * query_stride wide (dkeys where queries and keys are one matrix); and the mean that
 * attention_backward_keys needs, delta [query rows, heads, 2] (a float and its rounding error).
 * dscores [query rows, heads, longest]: the gradients of the scores before they are scaled; or null.
 * grid (batch, heads, (first_only ? 1 : TILES(longest)) × SLICES(width)).
 * Launch it before attention_backward_keys. */
KERNEL attention_backward_queries(const u32 *starts, u32 heads, u32 width, float scale,
                                  int first_only, const act *queries, u32 query_stride,
                                  u32 query_start, const act *keys, u32 key_stride, u32 key_start,
                                  u32 value_start, u32 low, u32 high, u32 threshold, float kept,
                                  const float *relative, u32 longest, const float *statistics,
                                  const act *grad, act *dqueries, float *delta, float *dscores);

/* The gradients of keys and values, into the columns of dkeys that they have in `keys`.
 * grid (batch, heads, TILES(longest) × SLICES(width)), with first_only too. */
KERNEL attention_backward_keys(const u32 *starts, u32 heads, u32 width, float scale, int first_only,
                               const act *queries, u32 query_stride, u32 query_start,
                               const act *keys, u32 key_stride, u32 key_start, u32 value_start,
                               u32 low, u32 high, u32 threshold, float kept, const float *relative,
                               u32 longest, const float *statistics, const float *delta,
                               const act *grad, act *dkeys);

/* ---- attention_tensor.cu, attention_tensor_backward.cu: where HAS_TENSOR_CORES is defined ----
 * As attention.cu, for heads 32 and 64 wide, without first_only and relative positions. Block (128),
 * shared 2 × 64 × (width + 8) × 2 bytes, grid (batch, heads, ceil(longest / 64)). Strides and first
 * columns are multiples of 8, and matrices begin at multiples of 16 bytes. delta is
 * [query rows, heads] here. */

#ifdef HAS_TENSOR_CORES
KERNEL attention_tensor_32(const u32 *starts, u32 heads, float scale, const act *queries,
                           u32 query_stride, u32 query_start, const act *keys, u32 key_stride,
                           u32 key_start, u32 value_start, u32 low, u32 high, u32 threshold,
                           float kept, act *out, float *statistics);

KERNEL attention_tensor_64(const u32 *starts, u32 heads, float scale, const act *queries,
                           u32 query_stride, u32 query_start, const act *keys, u32 key_stride,
                           u32 key_start, u32 value_start, u32 low, u32 high, u32 threshold,
                           float kept, act *out, float *statistics);

KERNEL attention_tensor_backward_queries_32(const u32 *starts, u32 heads, float scale,
                                            const act *queries, u32 query_stride, u32 query_start,
                                            const act *keys, u32 key_stride, u32 key_start,
                                            u32 value_start, u32 low, u32 high, u32 threshold,
                                            float kept, const float *statistics, const act *grad,
                                            act *dqueries, float *delta);

KERNEL attention_tensor_backward_queries_64(const u32 *starts, u32 heads, float scale,
                                            const act *queries, u32 query_stride, u32 query_start,
                                            const act *keys, u32 key_stride, u32 key_start,
                                            u32 value_start, u32 low, u32 high, u32 threshold,
                                            float kept, const float *statistics, const act *grad,
                                            act *dqueries, float *delta);

KERNEL attention_tensor_backward_keys_32(const u32 *starts, u32 heads, float scale,
                                         const act *queries, u32 query_stride, u32 query_start,
                                         const act *keys, u32 key_stride, u32 key_start,
                                         u32 value_start, u32 low, u32 high, u32 threshold,
                                         float kept, const float *statistics, const float *delta,
                                         const act *grad, act *dkeys);

KERNEL attention_tensor_backward_keys_64(const u32 *starts, u32 heads, float scale,
                                         const act *queries, u32 query_stride, u32 query_start,
                                         const act *keys, u32 key_stride, u32 key_start,
                                         u32 value_start, u32 low, u32 high, u32 threshold,
                                         float kept, const float *statistics, const float *delta,
                                         const act *grad, act *dkeys);
#endif

/* ---- relative.cu ----
 * `relative`, `stride`, `has_keys`, `keys_at`, `has_queries`, `queries_at`, `first_row`: the matrix of
 * relative positions; table_rows [2 center + 1] with center >= longest - 1. See the file. */

/* scores [query rows, heads, longest]: the terms of relative positions.
 * grid (query rows, heads, ceil(longest / 128)), block (128). */
KERNEL relative_scores(const u32 *starts, u32 batch, u32 heads, u32 width, int first_only,
                       const act *queries, u32 query_stride, u32 query_start, const act *keys,
                       u32 key_stride, u32 key_start, const act *relative, u32 stride, int has_keys,
                       u32 keys_at, int has_queries, u32 queries_at, u32 first_row,
                       const u32 *table_rows, u32 center, u32 longest, float *scores);

/* Adds to the columns of dqueries from query_start on. dscores as `scores` above.
 * grid (query rows, heads), block (64). */
KERNEL relative_backward_queries(const u32 *starts, u32 batch, u32 heads, u32 width, int first_only,
                                 const float *dscores, u32 longest, const act *relative, u32 stride,
                                 u32 keys_at, u32 first_row, const u32 *table_rows, u32 center,
                                 act *dqueries, u32 query_stride, u32 query_start);

/* Adds to the columns of dkeys from key_start on. grid (rows, heads), block (64). */
KERNEL relative_backward_keys(const u32 *starts, u32 batch, u32 heads, u32 width, int first_only,
                              const float *dscores, u32 longest, const act *relative, u32 stride,
                              u32 queries_at, u32 first_row, const u32 *table_rows, u32 center,
                              act *dkeys, u32 key_stride, u32 key_start);

/* The gradient of the matrix's columns from `at` on, for all heads: of the keys of positions if
 * `of_queries`, where `content` is the matrix of queries, else of their queries, where it is that of
 * keys. drelative is the whole matrix, of rows `stride` wide.
 * grid (rows of the matrix, heads), block (64, 4). */
KERNEL relative_backward_rows(const u32 *starts, u32 batch, u32 heads, u32 width, int first_only,
                              int of_queries, const float *dscores, u32 longest, const act *content,
                              u32 content_stride, u32 content_start, u32 first_row,
                              const u32 *table_rows, u32 center, act *drelative, u32 stride, u32 at);

/* out [rows, width] = dropout(x), or += with accumulate.
 * grid (rows, ceil(GROUPS(width) / threads)), block (threads). */
KERNEL drop_rows(u32 width, u32 low, u32 high, u32 threshold, float kept, const act *x, act *out,
                 int accumulate);

/* to [len] += from. Any grid. */
KERNEL add_to_floats(const act *from, u64 len, float *to);

/* ---- head.cu ---- */

/* logits [rows, outputs] = x weightᵀ + bias; x is [rows, inputs], weight [outputs, inputs].
 * grid (rows, ceil(outputs / 4)), block (32, 4). */
KERNEL classify(const float *weight, const float *bias, u32 inputs, u32 outputs, const act *x,
                float *logits);

/* dx [rows, inputs] = grad weight; grad is [rows, outputs].
 * grid (rows, ceil(inputs / 128)), block (128). */
KERNEL classify_backward_input(const float *weight, u32 inputs, u32 outputs, const float *grad,
                               act *dx);

/* dweight [outputs, inputs] = gradᵀ x. grid (outputs, ceil(inputs / 32)), block (32, 8). The bias's
 * gradient: add_partials(grad, rows, outputs, dbias, null, null, accumulate), 1 target. */
KERNEL classify_backward_weight(u32 rows, u32 inputs, u32 outputs, const act *x, const float *grad,
                                float *dweight, int accumulate);

/* Cross-entropy with label smoothing of [rows, classes] logits: *loss += factor × the weighted sum
 * of losses if is_reported (clear it before a step's first batch), predicted[r] = the first of the
 * highest, and grad = factor × weight × the losses' gradient. `factor` is `scale` of CrossEntropy;
 * weights [rows] are the bits of floats, or null if all are 1. A label outside the classes makes
 * the loss NaN. grid (1), block (256). */
KERNEL cross_entropy(u32 rows, u32 classes, float smoothing, float factor, int is_reported,
                     const u32 *labels, const u32 *weights, const float *logits, float *grad,
                     u32 *predicted, float *loss);

/* R-Drop's symmetric divergence KL(p, q) + KL(q, p) of the probabilities of rows i and pairs + i of
 * logits [2 pairs, classes]: *loss += factor × the weighted sum of divergences, and its gradient is
 * added to grad. weights as in cross_entropy. grid (1), block (256). */
KERNEL divergence(u32 pairs, u32 classes, float factor, const u32 *weights, const float *logits,
                  float *grad, float *loss);

/* ---- pretraining.cu ---- */

/* out = LN(x), rows of `width`; statistics [rows, 2]. grid (rows), block (ROW(width)). */
KERNEL layer_norm(const float *scale, const float *shift, float epsilon, u32 width, const act *x,
                  float *statistics, act *out);

/* Replaces grad, the gradient of layer_norm's out, by the gradient of x. partials
 * [CHUNKS(rows), 2, width]: the gradients of scale and shift; `chunk` = CHUNK(rows).
 * grid (CHUNKS(rows)), block (ROW(width)). Then add_partials with 2 targets. */
KERNEL layer_norm_backward(const float *scale, u32 rows, u32 width, u32 chunk, const act *x,
                           const float *statistics, act *grad, float *partials);

/* The cross-entropy of tokens: losses [rows, 2] receives the loss of each row of logits,
 * [rows, vocabulary], NaN if they are not finite, and 1 or 0: whether the label has the highest
 * logit. With `trains`, the logits are replaced by factor × the loss's gradient. Labels, [rows], are
 * below `vocabulary`. grid (rows), block (256). Then add_losses in training. */
KERNEL token_cross_entropy(u32 vocabulary, float factor, int trains, const u32 *labels, act *logits,
                           float *losses);

/* tokens[r] = the first token up to which the probabilities of row r, the softmax of logits
 * [rows, vocabulary], add up to more than uniforms[r], which is in [0, 1); the last token if there is
 * none. grid (rows), block (256). */
KERNEL sample_tokens(u32 vocabulary, const act *logits, const double *uniforms, u32 *tokens);

/* The binary cross-entropy of logits, [rows]; replaced, [rows], is 1 or 0. losses [rows, 2] receives
 * the loss of each row, and 1 or 0: whether its logit is above 0; grad = factor × the loss's gradient.
 * Block (256), grid (min(4096, ceil(rows / 256))). Then add_losses in training. */
KERNEL replaced_cross_entropy(u32 rows, float factor, const u32 *replaced, const float *logits,
                              float *grad, float *losses);

/* loss[0] += factor × the sum of the losses of losses [rows, 2], and loss[part] += part_factor × it.
 * loss is float[3], see prepare_update; `part` is 1 or 2. grid (1), block (256). */
KERNEL add_losses(u32 rows, const float *losses, float factor, float part_factor, u32 part,
                  float *loss);

/* p = before + factor × (p - before) for n parameters, in each operation rounded; before exactly if
 * the factor is 0. Block (256), grid (min(4096, ceil(n / 256))). */
KERNEL scale_change(u64 n, const float *before, float factor, float *parameters);

/* ---- adamw.cu, token_rows.cu ----
 * The factors of an update with number t, counted from 1, computed in double:
 *   rate = learning_rate / (1 - beta1^t), correction = 1 / sqrt(1 - beta2^t),
 *   keep = 1 - learning_rate × weight_decay (for parameters that decay).
 * status is float[8]: {norm of all gradients, clipping factor, 1 if the update is applied or 0 if
 * loss or norm are not finite, the loss, correction, share, the parts of the loss in pretraining}. If
 * the update is not applied, the update kernels change nothing.
 *
 * Parameters that are updated alike form groups; each group is of a kind, and a kind has a factor of
 * the learning rate and a weight decay. Kind 0 is that of the token table.
 *
 * average: the exponential moving average of the parameters, which each update moves to
 * average + share × (parameters - average), share = 1 - min(average_decay, (1 + t) / (10 + t)); null:
 * there is none. */

/* Computes status from the partial sums of squares (double[count]) and the loss, float[3]: the loss
 * and its parts of masked and of replaced tokens; writes the factors
 * {rate, keep} of each kind, [kind_count, 2], from kinds, [kind_count, 2]: the factor of the learning
 * rate and the weight decay; writes entry = {rate, keep, correction, share} of the token table to the
 * history of updates, or {0, 1, 0, 0}, a skipped update, if it is not applied; and adds 1 to *steps,
 * the number of updates before, if it is. max_norm 0: no clipping. `entry` is history + 4 × the number
 * of entries before. grid (1), block (256). */
KERNEL prepare_update(const double *partials, u32 count, float max_norm, const float *loss,
                      double learning_rate, double beta1, double beta2, const double *kinds,
                      u32 kind_count, double average_decay, float *factors, u64 *steps, float *entry,
                      float *status);

/* AdamW of the n parameters from index `first` on, all but the token table: parameters, gradients,
 * mean, variance, average and shadow point to index `first`. Group i ends before index ends[i] among
 * all parameters and is of kind group_kinds[i]; groups are sorted and cover all parameters. shadow
 * receives the parameters in the type of activations; null: none (f32). kind_factors: see
 * prepare_update. grid (ceil(n / 1024)), block (256). */
KERNEL adamw(u64 first, u64 n, const u64 *ends, const u32 *group_kinds, u32 groups, float beta1,
             float beta2, float epsilon, const float *kind_factors, const float *status,
             const float *gradients, float *parameters, float *mean, float *variance,
             float *average, act *shadow);

/* AdamW of the token rows with a gradient, token_rows [distinct, width]; tokens[i] is the row of
 * gradient i, distinct, each without pending updates. parameters, mean, variance and average point to
 * the start of the table. Sets active[row] = 1 and updated[row] = entries, the number of entries of
 * the history with this update. grid (distinct), block (128). */
KERNEL update_token_rows(const u32 *tokens, u32 width, float beta1, float beta2, float epsilon,
                         const float *kind_factors, const float *status, const float *token_rows,
                         float *parameters, float *mean, float *variance, float *average,
                         u32 *updated, u32 *active, u32 entries);

/* Applies the pending updates of token rows, with gradient 0, one after another: the entries
 * updated[row] .. entries of the history, [entries, 4] (see prepare_update). active[row] is 0 where
 * both moments are 0 and the average equals the row. tokens lists
 * the rows; null: all of them, row = block (the history may then be cleared, with `updated` set to
 * 0). Sets updated[row] = entries. decays: whether rows that are not active change too.
 * grid (rows), block (128). */
KERNEL apply_pending_updates(const u32 *tokens, u32 width, float beta1, float beta2, float epsilon,
                             int decays, const float *history, u32 entries, float *parameters,
                             float *mean, float *variance, float *average, u32 *updated,
                             const u32 *active);

/* active[row] = whether a moment of the row is not 0 or its average differs from it: after moments
 * are restored. grid (vocabulary), block (128). */
KERNEL find_active_rows(u32 width, const float *parameters, const float *mean,
                        const float *variance, const float *average, u32 *active);

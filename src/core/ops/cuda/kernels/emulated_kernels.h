/* The kernels by name, for emulator.c: each with the types of its arguments, as in prototypes.h,
 * and whether it has barriers. */

typedef struct {
    const char *name;
    /* Calls it with arguments as cuLaunchKernel takes them: a pointer to each. */
    void (*call)(void **arguments);
    int has_barriers;
} Kernel;

#define A(index, type) (*(type *)arguments[index])
#define KERNEL_OF(name, ...) \
    static void call_##name(void **arguments) \
    { \
        name(__VA_ARGS__); \
    }

KERNEL_OF(fill, A(0, float *), A(1, u64), A(2, float))
KERNEL_OF(clear_both, A(0, act *), A(1, u64), A(2, act *), A(3, u64))
KERNEL_OF(to_activations, A(0, const float *), A(1, act *), A(2, u64))
KERNEL_OF(gather_first, A(0, const u32 *), A(1, u32), A(2, const act *), A(3, act *))
KERNEL_OF(scatter_add_first, A(0, const u32 *), A(1, u32), A(2, const act *), A(3, act *))
KERNEL_OF(mean_rows, A(0, const u32 *), A(1, u32), A(2, const act *), A(3, act *))
KERNEL_OF(mean_rows_backward, A(0, const u32 *), A(1, u32), A(2, const act *), A(3, act *))
KERNEL_OF(add_bias, A(0, act *), A(1, const float *), A(2, u32))
KERNEL_OF(column_sums, A(0, const act *), A(1, u32), A(2, u32), A(3, u32), A(4, float *))
KERNEL_OF(add_partials, A(0, const float *), A(1, u32), A(2, u32), A(3, float *), A(4, float *),
          A(5, float *), A(6, int))
KERNEL_OF(squared_sums, A(0, const float *), A(1, u64), A(2, double *))
KERNEL_OF(embed, A(0, const float *), A(1, const float *), A(2, const float *), A(3, const float *),
          A(4, const float *), A(5, float), A(6, u32), A(7, u32), A(8, const u32 *),
          A(9, const u32 *), A(10, u32), A(11, const u32 *), A(12, const u32 *), A(13, u32),
          A(14, u32), A(15, u32), A(16, float), A(17, act *), A(18, float *), A(19, act *))
KERNEL_OF(embed_backward, A(0, const float *), A(1, u32), A(2, u32), A(3, u32), A(4, const u32 *),
          A(5, u32), A(6, u32), A(7, u32), A(8, float), A(9, const act *), A(10, const float *),
          A(11, act *), A(12, float *), A(13, u32))
KERNEL_OF(embed_between, A(0, const act *), A(1, const act *), A(2, const float *), A(3, u32),
          A(4, const float *), A(5, const float *), A(6, float), A(7, u32), A(8, act *),
          A(9, float *), A(10, act *))
KERNEL_OF(embed_between_backward, A(0, const float *), A(1, const act *), A(2, const act *),
          A(3, u32), A(4, u32), A(5, const act *), A(6, const float *), A(7, const act *),
          A(8, float *))
KERNEL_OF(token_gradients, A(0, const u32 *), A(1, const u32 *), A(2, u32), A(3, const act *),
          A(4, float *), A(5, int))
KERNEL_OF(position_gradients, A(0, const u32 *), A(1, u32), A(2, u32), A(3, u32), A(4, const act *),
          A(5, float *), A(6, int))
KERNEL_OF(add_norm, A(0, const float *), A(1, const float *), A(2, const float *), A(3, float),
          A(4, u32), A(5, const u32 *), A(6, u32), A(7, u32), A(8, u32), A(9, float), A(10, act *),
          A(11, const act *), A(12, float *), A(13, act *))
KERNEL_OF(add_norm_backward, A(0, const float *), A(1, u32), A(2, u32), A(3, u32),
          A(4, const u32 *), A(5, u32), A(6, u32), A(7, u32), A(8, float), A(9, const act *),
          A(10, const float *), A(11, act *), A(12, act *), A(13, float *))
KERNEL_OF(activate, A(0, const float *), A(1, int), A(2, u32), A(3, u32), A(4, u32), A(5, u32),
          A(6, float), A(7, act *), A(8, act *))
KERNEL_OF(activate_backward, A(0, int), A(1, u32), A(2, u32), A(3, u32), A(4, u32), A(5, u32),
          A(6, u32), A(7, float), A(8, const act *), A(9, act *), A(10, float *))
KERNEL_OF(attention, A(0, const u32 *), A(1, u32), A(2, u32), A(3, float), A(4, int),
          A(5, const act *), A(6, u32), A(7, u32), A(8, const act *), A(9, u32), A(10, u32),
          A(11, u32), A(12, u32), A(13, u32), A(14, u32), A(15, float), A(16, const float *),
          A(17, u32), A(18, act *), A(19, float *))
KERNEL_OF(attention_backward_queries, A(0, const u32 *), A(1, u32), A(2, u32), A(3, float),
          A(4, int), A(5, const act *), A(6, u32), A(7, u32), A(8, const act *), A(9, u32),
          A(10, u32), A(11, u32), A(12, u32), A(13, u32), A(14, u32), A(15, float),
          A(16, const float *), A(17, u32), A(18, const float *), A(19, const act *), A(20, act *),
          A(21, float *), A(22, float *))
KERNEL_OF(attention_backward_keys, A(0, const u32 *), A(1, u32), A(2, u32), A(3, float), A(4, int),
          A(5, const act *), A(6, u32), A(7, u32), A(8, const act *), A(9, u32), A(10, u32),
          A(11, u32), A(12, u32), A(13, u32), A(14, u32), A(15, float), A(16, const float *),
          A(17, u32), A(18, const float *), A(19, const float *), A(20, const act *), A(21, act *))
#ifdef HAS_TENSOR_CORES
KERNEL_OF(attention_tensor_32, A(0, const u32 *), A(1, u32), A(2, float), A(3, const act *),
          A(4, u32), A(5, u32), A(6, const act *), A(7, u32), A(8, u32), A(9, u32), A(10, u32),
          A(11, u32), A(12, u32), A(13, float), A(14, act *), A(15, float *))
KERNEL_OF(attention_tensor_backward_queries_32, A(0, const u32 *), A(1, u32), A(2, float),
          A(3, const act *), A(4, u32), A(5, u32), A(6, const act *), A(7, u32), A(8, u32),
          A(9, u32), A(10, u32), A(11, u32), A(12, u32), A(13, float), A(14, const float *),
          A(15, const act *), A(16, act *), A(17, float *))
KERNEL_OF(attention_tensor_backward_keys_32, A(0, const u32 *), A(1, u32), A(2, float),
          A(3, const act *), A(4, u32), A(5, u32), A(6, const act *), A(7, u32), A(8, u32),
          A(9, u32), A(10, u32), A(11, u32), A(12, u32), A(13, float), A(14, const float *),
          A(15, const float *), A(16, const act *), A(17, act *))
KERNEL_OF(attention_tensor_64, A(0, const u32 *), A(1, u32), A(2, float), A(3, const act *),
          A(4, u32), A(5, u32), A(6, const act *), A(7, u32), A(8, u32), A(9, u32), A(10, u32),
          A(11, u32), A(12, u32), A(13, float), A(14, act *), A(15, float *))
KERNEL_OF(attention_tensor_backward_queries_64, A(0, const u32 *), A(1, u32), A(2, float),
          A(3, const act *), A(4, u32), A(5, u32), A(6, const act *), A(7, u32), A(8, u32),
          A(9, u32), A(10, u32), A(11, u32), A(12, u32), A(13, float), A(14, const float *),
          A(15, const act *), A(16, act *), A(17, float *))
KERNEL_OF(attention_tensor_backward_keys_64, A(0, const u32 *), A(1, u32), A(2, float),
          A(3, const act *), A(4, u32), A(5, u32), A(6, const act *), A(7, u32), A(8, u32),
          A(9, u32), A(10, u32), A(11, u32), A(12, u32), A(13, float), A(14, const float *),
          A(15, const float *), A(16, const act *), A(17, act *))
#endif
KERNEL_OF(relative_scores, A(0, const u32 *), A(1, u32), A(2, u32), A(3, u32), A(4, int),
          A(5, const act *), A(6, u32), A(7, u32), A(8, const act *), A(9, u32), A(10, u32),
          A(11, const act *), A(12, u32), A(13, int), A(14, u32), A(15, int), A(16, u32),
          A(17, u32), A(18, const u32 *), A(19, u32), A(20, u32), A(21, float *))
KERNEL_OF(relative_backward_queries, A(0, const u32 *), A(1, u32), A(2, u32), A(3, u32), A(4, int),
          A(5, const float *), A(6, u32), A(7, const act *), A(8, u32), A(9, u32), A(10, u32),
          A(11, const u32 *), A(12, u32), A(13, act *), A(14, u32), A(15, u32))
KERNEL_OF(relative_backward_keys, A(0, const u32 *), A(1, u32), A(2, u32), A(3, u32), A(4, int),
          A(5, const float *), A(6, u32), A(7, const act *), A(8, u32), A(9, u32), A(10, u32),
          A(11, const u32 *), A(12, u32), A(13, act *), A(14, u32), A(15, u32))
KERNEL_OF(relative_backward_rows, A(0, const u32 *), A(1, u32), A(2, u32), A(3, u32), A(4, int),
          A(5, int), A(6, const float *), A(7, u32), A(8, const act *), A(9, u32), A(10, u32),
          A(11, u32), A(12, const u32 *), A(13, u32), A(14, act *), A(15, u32), A(16, u32))
KERNEL_OF(drop_rows, A(0, u32), A(1, u32), A(2, u32), A(3, u32), A(4, float), A(5, const act *),
          A(6, act *), A(7, int))
KERNEL_OF(add_to_floats, A(0, const act *), A(1, u64), A(2, float *))
KERNEL_OF(classify, A(0, const float *), A(1, const float *), A(2, u32), A(3, u32),
          A(4, const act *), A(5, float *))
KERNEL_OF(classify_backward_input, A(0, const float *), A(1, u32), A(2, u32), A(3, const float *),
          A(4, act *))
KERNEL_OF(classify_backward_weight, A(0, u32), A(1, u32), A(2, u32), A(3, const act *),
          A(4, const float *), A(5, float *), A(6, int))
KERNEL_OF(cross_entropy, A(0, u32), A(1, u32), A(2, float), A(3, float), A(4, int),
          A(5, const u32 *), A(6, const u32 *), A(7, const float *), A(8, float *), A(9, u32 *),
          A(10, float *))
KERNEL_OF(divergence, A(0, u32), A(1, u32), A(2, float), A(3, const u32 *), A(4, const float *),
          A(5, float *), A(6, float *))
KERNEL_OF(layer_norm, A(0, const float *), A(1, const float *), A(2, float), A(3, u32),
          A(4, const act *), A(5, float *), A(6, act *))
KERNEL_OF(layer_norm_backward, A(0, const float *), A(1, u32), A(2, u32), A(3, u32), A(4, const act *),
          A(5, const float *), A(6, act *), A(7, float *))
KERNEL_OF(token_cross_entropy, A(0, u32), A(1, float), A(2, int), A(3, const u32 *), A(4, act *),
          A(5, float *))
KERNEL_OF(sample_tokens, A(0, u32), A(1, const act *), A(2, const double *), A(3, u32 *))
KERNEL_OF(replaced_cross_entropy, A(0, u32), A(1, float), A(2, const u32 *), A(3, const float *),
          A(4, float *), A(5, float *))
KERNEL_OF(add_losses, A(0, u32), A(1, const float *), A(2, float), A(3, float), A(4, u32),
          A(5, float *))
KERNEL_OF(scale_change, A(0, u64), A(1, const float *), A(2, float), A(3, float *))
KERNEL_OF(prepare_update, A(0, const double *), A(1, u32), A(2, float), A(3, const float *),
          A(4, double), A(5, double), A(6, double), A(7, const double *), A(8, u32), A(9, double),
          A(10, float *), A(11, u64 *), A(12, float *), A(13, float *))
KERNEL_OF(adamw, A(0, u64), A(1, u64), A(2, const u64 *), A(3, const u32 *), A(4, u32), A(5, float),
          A(6, float), A(7, float), A(8, const float *), A(9, const float *), A(10, const float *),
          A(11, float *), A(12, float *), A(13, float *), A(14, float *), A(15, act *))
KERNEL_OF(update_token_rows, A(0, const u32 *), A(1, u32), A(2, float), A(3, float), A(4, float),
          A(5, const float *), A(6, const float *), A(7, const float *), A(8, float *),
          A(9, float *), A(10, float *), A(11, float *), A(12, u32 *), A(13, u32 *), A(14, u32))
KERNEL_OF(apply_pending_updates, A(0, const u32 *), A(1, u32), A(2, float), A(3, float), A(4, float),
          A(5, int), A(6, const float *), A(7, u32), A(8, float *), A(9, float *), A(10, float *),
          A(11, float *), A(12, u32 *), A(13, const u32 *))
KERNEL_OF(find_active_rows, A(0, u32), A(1, const float *), A(2, const float *), A(3, const float *),
          A(4, const float *), A(5, u32 *))

#define WITH_BARRIERS(name) {#name, call_##name, 1}
#define PLAIN(name) {#name, call_##name, 0}

static const Kernel kernels[] = {
    PLAIN(fill),
    PLAIN(clear_both),
    PLAIN(to_activations),
    PLAIN(gather_first),
    PLAIN(scatter_add_first),
    PLAIN(mean_rows),
    PLAIN(mean_rows_backward),
    PLAIN(add_bias),
    PLAIN(column_sums),
    WITH_BARRIERS(add_partials),
    WITH_BARRIERS(squared_sums),
    WITH_BARRIERS(embed),
    WITH_BARRIERS(embed_backward),
    WITH_BARRIERS(embed_between),
    WITH_BARRIERS(embed_between_backward),
    WITH_BARRIERS(token_gradients),
    WITH_BARRIERS(position_gradients),
    WITH_BARRIERS(add_norm),
    WITH_BARRIERS(add_norm_backward),
    PLAIN(activate),
    PLAIN(activate_backward),
    WITH_BARRIERS(attention),
    WITH_BARRIERS(attention_backward_queries),
    WITH_BARRIERS(attention_backward_keys),
#ifdef HAS_TENSOR_CORES
    WITH_BARRIERS(attention_tensor_32),
    WITH_BARRIERS(attention_tensor_64),
    WITH_BARRIERS(attention_tensor_backward_queries_32),
    WITH_BARRIERS(attention_tensor_backward_queries_64),
    WITH_BARRIERS(attention_tensor_backward_keys_32),
    WITH_BARRIERS(attention_tensor_backward_keys_64),
#endif
    PLAIN(relative_scores),
    PLAIN(relative_backward_queries),
    PLAIN(relative_backward_keys),
    WITH_BARRIERS(relative_backward_rows),
    PLAIN(drop_rows),
    PLAIN(add_to_floats),
    WITH_BARRIERS(classify),
    PLAIN(classify_backward_input),
    WITH_BARRIERS(classify_backward_weight),
    WITH_BARRIERS(cross_entropy),
    WITH_BARRIERS(divergence),
    WITH_BARRIERS(layer_norm),
    WITH_BARRIERS(layer_norm_backward),
    WITH_BARRIERS(token_cross_entropy),
    WITH_BARRIERS(sample_tokens),
    PLAIN(replaced_cross_entropy),
    WITH_BARRIERS(add_losses),
    PLAIN(scale_change),
    WITH_BARRIERS(prepare_update),
    PLAIN(adamw),
    PLAIN(update_token_rows),
    WITH_BARRIERS(apply_pending_updates),
    WITH_BARRIERS(find_active_rows),
};

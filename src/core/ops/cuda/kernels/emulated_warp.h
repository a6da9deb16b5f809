/* The operations of a whole warp for a CPU: shuffles, and the instructions of tensor_cores.cuh with the
 * fragments of the PTX ISA. A copy that is begun takes place only when its thread waits for it, so
 * that a missing wait shows. */

#ifndef EMULATED_WARP_H
#define EMULATED_WARP_H

typedef struct {
    double value;
    unsigned mask;
} emulated_shuffled;

static const char *emulated_shuffle(void **operands, unsigned lanes)
{
    double values[32];
    unsigned mask = ((const emulated_shuffled *)operands[0])->mask;
    for (unsigned lane = 0; lane < lanes; lane++) {
        const emulated_shuffled *own = operands[lane];
        if (own->mask != mask || (lane ^ mask) >= lanes) {
            return "a lane is not at the shuffle of the others";
        }
        values[lane] = ((const emulated_shuffled *)operands[lane ^ mask])->value;
    }
    for (unsigned lane = 0; lane < lanes; lane++) {
        ((emulated_shuffled *)operands[lane])->value = values[lane];
    }
    return NULL;
}

static double emulated_exchange(double value, unsigned mask, int line)
{
    emulated_shuffled shuffled = {value, mask};
    emulated_collective(emulated_shuffle, &shuffled, line);
    return shuffled.value;
}

#define mma_16x8x16(c, a, b) emulated_mma((c), (a), (b), __LINE__)
#define load_matrices(row, to) emulated_load((row), (to), 0, __LINE__)
#define load_transposed_matrices(row, to) emulated_load((row), (to), 1, __LINE__)
#define begin_copy(to, from, is_there) emulated_begin_copy((to), (from), (is_there) ? 16 : 0)
#define finish_copies() emulated_finish_copies()

DEVICE float emulated_bf16(unsigned word, unsigned half)
{
    return __uint_as_float(half ? word & 0xffff0000u : word << 16);
}

DEVICE unsigned pack_bf16(float low, float high)
{
    float values[2] = {low, high};
    unsigned packed = 0;
    for (int i = 0; i < 2; i++) {
        unsigned bits = __float_as_uint(values[i]);
        if ((bits & 0x7fffffffu) > 0x7f800000u) {
            bits = 0x7fffu << 16;
        } else {
            bits += 0x7fffu + ((bits >> 16) & 1u);
        }
        packed |= bits >> 16 << 16 * i;
    }
    return packed;
}

typedef struct {
    float *c;
    const unsigned *a, *b;
} emulated_product;

/* Gathers a and b from the fragments of all lanes, multiplies, and adds to those of c. */
static const char *emulated_multiply(void **operands, unsigned lanes)
{
    float a[16][16], b[16][8];
    if (lanes != 32) {
        return "a warp without all lanes at a product";
    }
    for (unsigned lane = 0; lane < 32; lane++) {
        const emulated_product *product = operands[lane];
        unsigned group = lane / 4, pair = lane % 4 * 2;
        for (unsigned half = 0; half < 2; half++) {
            a[group][pair + half] = emulated_bf16(product->a[0], half);
            a[group + 8][pair + half] = emulated_bf16(product->a[1], half);
            a[group][pair + 8 + half] = emulated_bf16(product->a[2], half);
            a[group + 8][pair + 8 + half] = emulated_bf16(product->a[3], half);
            b[pair + half][group] = emulated_bf16(product->b[0], half);
            b[pair + 8 + half][group] = emulated_bf16(product->b[1], half);
        }
    }
    for (unsigned lane = 0; lane < 32; lane++) {
        float *c = ((const emulated_product *)operands[lane])->c;
        for (unsigned e = 0; e < 4; e++) {
            unsigned row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
            double sum = c[e];
            for (unsigned k = 0; k < 16; k++) {
                sum += (double)a[row][k] * (double)b[k][column];
            }
            c[e] = (float)sum;
        }
    }
    return NULL;
}

DEVICE void emulated_mma(float *c, const unsigned *a, const unsigned *b, int line)
{
    emulated_product product = {c, a, b};
    emulated_collective(emulated_multiply, &product, line);
}

typedef struct {
    const unsigned short *row;
    unsigned *to;
    int is_transposed;
} emulated_matrices;

static const char *emulated_load_all(void **operands, unsigned lanes)
{
    if (lanes != 32) {
        return "a warp without all lanes loads matrices";
    }
    for (unsigned lane = 0; lane < 32; lane++) {
        const emulated_matrices *own = operands[lane];
        if ((size_t)own->row % 16 != 0) {
            return "a row of a matrix is not at a multiple of 16 bytes";
        }
        for (unsigned matrix = 0; matrix < 4; matrix++) {
            unsigned word = 0;
            for (unsigned half = 0; half < 2; half++) {
                unsigned row = lane / 4, column = lane % 4 * 2 + half;
                if (own->is_transposed) {
                    unsigned swapped = row;
                    row = column;
                    column = swapped;
                }
                const emulated_matrices *other = operands[matrix * 8 + row];
                word |= (unsigned)other->row[column] << 16 * half;
            }
            own->to[matrix] = word;
        }
    }
    return NULL;
}

DEVICE void emulated_load(const unsigned short *row, unsigned *to, int is_transposed, int line)
{
    emulated_matrices matrices = {row, to, is_transposed};
    emulated_collective(emulated_load_all, &matrices, line);
}

#endif

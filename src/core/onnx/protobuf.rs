//! Writes protocol buffers: the few kinds of fields that ONNX needs
//! (<https://protobuf.dev/programming-guides/encoding/>).

use candle_core::{Result, Tensor};

/// How a field's value is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Delimited = 2,
    Fixed32 = 5,
}

/// A part of a message.
enum Chunk {
    Bytes(Vec<u8>),
    /// The values of a tensor of `f32`, little-endian, row-major.
    Weights(Weights),
}

/// Weights that are written last, so that they are in memory only once more.
pub(super) struct Weights {
    pub tensor: Tensor,
    /// Whether the matrix is written transposed.
    pub is_transposed: bool,
}

impl Weights {
    fn bytes(&self) -> usize {
        self.tensor.elem_count() * size_of::<f32>()
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<()> {
        let tensor = if self.is_transposed { self.tensor.t()? } else { self.tensor.clone() };
        for value in tensor.flatten_all()?.to_vec1::<f32>()? {
            to.extend_from_slice(&value.to_le_bytes());
        }
        Ok(())
    }
}

/// A message under construction. Fields are written in the order of the calls.
#[derive(Default)]
pub(super) struct Message {
    chunks: Vec<Chunk>,
    len: usize,
}

impl Message {
    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    fn write(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        if let Some(Chunk::Bytes(last)) = self.chunks.last_mut() {
            last.extend_from_slice(bytes);
        } else {
            self.chunks.push(Chunk::Bytes(bytes.to_vec()));
        }
    }

    fn varint(&mut self, mut value: u64) {
        let mut bytes = Vec::with_capacity(10);
        while value >= 0x80 {
            bytes.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        self.write(&bytes);
    }

    fn key(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field) << 3 | wire as u64);
    }

    /// A field of type `int64`, `int32` or an enum.
    pub fn integer(&mut self, field: u32, value: i64) {
        self.key(field, Wire::Varint);
        self.varint(value as u64);
    }

    /// A field of type `float`.
    pub fn float(&mut self, field: u32, value: f32) {
        self.key(field, Wire::Fixed32);
        self.write(&value.to_le_bytes());
    }

    /// A field of type `string` or `bytes`.
    pub fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    /// A field of type `bytes`.
    pub fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, Wire::Delimited);
        self.varint(bytes.len() as u64);
        self.write(bytes);
    }

    /// A field that is a message.
    pub fn message(&mut self, field: u32, message: Self) {
        self.key(field, Wire::Delimited);
        self.varint(message.len as u64);
        for chunk in message.chunks {
            match chunk {
                Chunk::Bytes(bytes) => self.write(&bytes),
                Chunk::Weights(weights) => self.push(weights),
            }
        }
    }

    /// A field of type `bytes` with the values of a tensor.
    pub fn weights(&mut self, field: u32, weights: Weights) {
        self.key(field, Wire::Delimited);
        self.varint(weights.bytes() as u64);
        self.push(weights);
    }

    fn push(&mut self, weights: Weights) {
        self.len += weights.bytes();
        self.chunks.push(Chunk::Weights(weights));
    }

    /// The bytes of the message.
    ///
    /// # Errors
    /// If a tensor is not of type `f32`.
    pub fn into_bytes(self) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.len);
        for chunk in self.chunks {
            match chunk {
                Chunk::Bytes(chunk) => bytes.extend_from_slice(&chunk),
                Chunk::Weights(weights) => weights.write(&mut bytes)?,
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_encoded_as_documented() -> Result<()> {
        let mut inner = Message::default();
        inner.integer(1, 150);
        inner.text(2, "testing");
        let mut outer = Message::default();
        outer.message(3, inner);
        outer.integer(1, -2);
        outer.float(4, 1.0);
        let matrix = Tensor::from_vec(vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0], (2, 3), &Device::Cpu)?;
        outer.weights(9, Weights { tensor: matrix, is_transposed: true });
        let len = outer.len();
        let bytes = outer.into_bytes()?;
        assert_eq!(bytes.len(), len);
        // The examples of the encoding's documentation.
        assert_eq!(bytes[..14], *b"\x1a\x0c\x08\x96\x01\x12\x07testing");
        assert_eq!(bytes[14..25], *b"\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(bytes[25..30], *b"\x25\x00\x00\x80\x3f");
        assert_eq!(bytes[30..32], [0x4a, 24]);
        let values: Vec<f32> = bytes[32..]
            .chunks_exact(4)
            .map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]]))
            .collect();
        assert_eq!(values, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        Ok(())
    }

    use candle_core::Device;
}

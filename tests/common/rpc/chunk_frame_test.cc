#include "common/rpc/chunk_frame.h"

#include <random>

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include "common/rpc/convert.h"

namespace farboot {
namespace {

Bytes noise(std::size_t size) {
  std::mt19937 random(7);
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

v1::ChunkFrame parse(grpc::ByteBuffer buffer) {
  v1::ChunkFrame frame;
  EXPECT_TRUE(grpc::SerializationTraits<v1::ChunkFrame>::Deserialize(&buffer, &frame).ok());
  return frame;
}

TEST(ChunkFrame, IsTheMessageOfTheContract) {
  const Bytes text(200'000, 'a'), raw = noise(100'000), one = {7};
  const Digest lost = sha256(to_bytes("lost"));
  const std::vector<WireChunk> chunks = {encode_chunk(sha256(text), text),
                                         encode_chunk(sha256(raw), raw),
                                         encode_chunk(sha256(one), one)};
  v1::ChunkFrame frame = parse(to_byte_buffer(chunks, std::span(&lost, 1)));
  ASSERT_EQ(frame.chunks_size(), 3);
  EXPECT_EQ(frame.chunks(0).encoding(), v1::CHUNK_ENCODING_ZSTD);
  EXPECT_LT(frame.chunks(0).payload().size(), 1000u);
  EXPECT_EQ(frame.chunks(1).encoding(), v1::CHUNK_ENCODING_PLAIN);
  EXPECT_EQ(frame.missing(), to_proto(lost));
  const Bytes* plain[] = {&text, &raw, &one};
  for (int i = 0; i < 3; ++i) {
    const auto id = digest_from_proto(frame.chunks(i).id());
    ASSERT_TRUE(id);
    auto bytes = decode_chunk(std::move(*frame.mutable_chunks(i)));
    ASSERT_TRUE(bytes) << bytes.error().what;
    EXPECT_EQ(*bytes, *plain[i]);
    EXPECT_EQ(sha256(*bytes), *id);
  }
}

TEST(ChunkFrame, KeepsZstdOnlyWhereItSavesFivePercent) {
  Bytes mixed = noise(60'000);
  mixed.resize(62'000, 'x');  // 3 % to be saved
  EXPECT_EQ(encode_chunk(sha256(mixed), mixed).encoding, v1::CHUNK_ENCODING_PLAIN);
  mixed.clear();
  for (int i = 0; i < 100; ++i) {  // one byte in seven to be saved, all over
    const Bytes part = noise(600);
    mixed.insert(mixed.end(), part.begin(), part.end());
    mixed.resize(mixed.size() + 100, 'x');
  }
  EXPECT_EQ(encode_chunk(sha256(mixed), mixed).encoding, v1::CHUNK_ENCODING_ZSTD);
}

v1::Chunk chunk(std::string payload, std::uint32_t size, v1::ChunkEncoding encoding) {
  v1::Chunk message;
  message.set_payload(std::move(payload));
  message.set_size_bytes(size);
  message.set_encoding(encoding);
  return message;
}

TEST(ChunkFrame, RefusesChunksThatLie) {
  const auto plain = v1::CHUNK_ENCODING_PLAIN, zstd = v1::CHUNK_ENCODING_ZSTD;
  EXPECT_FALSE(decode_chunk(chunk("abc", 4, plain)));
  EXPECT_FALSE(decode_chunk(chunk("", 0, plain)));
  EXPECT_FALSE(decode_chunk(chunk(std::string((1u << 20) + 1, 'x'), (1u << 20) + 1, plain)));
  EXPECT_FALSE(decode_chunk(chunk("not zstd", 8, zstd)));
  EXPECT_FALSE(decode_chunk(chunk("abc", 3, static_cast<v1::ChunkEncoding>(9))));
  const Bytes text(1000, 'a');
  const WireChunk packed = encode_chunk(sha256(text), text);
  ASSERT_EQ(packed.encoding, zstd);
  const std::string payload(as_text(*packed.payload));
  EXPECT_FALSE(decode_chunk(chunk(payload, 999, zstd))) << "a bomb ends at the promised size";
  EXPECT_FALSE(decode_chunk(chunk(payload, 1001, zstd)));
  EXPECT_TRUE(decode_chunk(chunk(payload, 1000, zstd)));
}

TEST(Convert, DigestsComeOneAfterTheOther) {
  const Digest a = sha256(to_bytes("a")), b = sha256(to_bytes("b"));
  const std::vector<Digest> both = {a, b};
  const auto back = digests_from_proto(to_proto(std::span<const Digest>(both)), 2);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, both);
  const std::vector<Digest> twice = {a, a};
  EXPECT_FALSE(digests_from_proto(to_proto(std::span<const Digest>(twice)), 2));
  EXPECT_FALSE(digests_from_proto(to_proto(std::span<const Digest>(both)), 1));
  EXPECT_FALSE(digests_from_proto("", 2));
  EXPECT_FALSE(digests_from_proto("abc", 2));
}

TEST(Convert, TextFromOutsideIsMadeHarmless) {
  EXPECT_EQ(text_from_proto("häuser", 100), "häuser");
  EXPECT_EQ(text_from_proto("a\nb", 100), "a\\x0ab");
  EXPECT_EQ(text_from_proto("abcdef", 3), "abc");
  EXPECT_TRUE(is_utf8(text_from_proto("\xff\xfe", 100)));
  EXPECT_EQ(time_from_proto(-5), WallTime{});
}

}  // namespace
}  // namespace farboot

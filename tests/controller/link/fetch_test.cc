// want → chunk: byte-exact, bounded, and only to whom it belongs.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <grpcpp/generic/generic_stub.h>

#include "common/rpc/chunk_frame.h"
#include "controller/fleet/releases_before.h"
#include "tests/controller/link/link_service_fixture.h"

namespace farboot {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

class LinkFetch : public LinkServiceTest {
 protected:
  void SetUp() override { controller_.order("lyon", {}, release_); }
  /// Each chunk once and right; frames within their bounds.
  /// What the controller said it lacks.
  static std::vector<Digest> missing_of(const Fetched& fetched) {
    std::vector<Digest> missing;
    for (const v1::ChunkFrame& frame : fetched.frames)
      if (!frame.missing().empty())
        for (const Digest& id : *digests_from_proto(frame.missing(), 4096)) missing.push_back(id);
    return missing;
  }
  std::map<Digest, Bytes> checked(const Fetched& fetched) {
    std::map<Digest, Bytes> out;
    for (const v1::ChunkFrame& frame : fetched.frames) {
      EXPECT_LE(frame.chunks_size(), static_cast<int>(kFrameChunksMax));
      std::size_t payload = 0;
      for (const v1::Chunk& chunk : frame.chunks()) {
        const Digest id = *digest_from_proto(chunk.id());
        payload += chunk.payload().size();
        auto bytes = decode_chunk(v1::Chunk(chunk));
        EXPECT_TRUE(bytes);
        EXPECT_EQ(sha256(*bytes), id);
        EXPECT_TRUE(out.emplace(id, std::move(*bytes)).second) << "twice";
      }
      EXPECT_LE(payload, kFrameBytesMax);
      EXPECT_LE(frame.ByteSizeLong(), (1u << 20) + (64u << 10));
    }
    return out;
  }
  std::filesystem::path only_pack() {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(controller_.folder / "packs"))
      found = entry.path();
    return found;
  }

  Digest release_ = controller_.add_release(40);
};

TEST_F(LinkFetch, SendsEveryChunkOnceAndByteExact) {
  const auto over = channel(lyon_);
  const std::vector<Digest> ids = ids_of(release_);
  const Fetched fetched = fetch(over, want(release_, ids));
  EXPECT_EQ(fetched.error.what, "");
  const auto chunks = checked(fetched);
  EXPECT_EQ(chunks.size(), ids.size());
  for (const Digest& id : ids) EXPECT_EQ(chunks.at(id), *controller_.content->get(id));
  std::vector<Digest> order;
  for (const v1::ChunkFrame& frame : fetched.frames)
    for (const v1::Chunk& chunk : frame.chunks()) order.push_back(*digest_from_proto(chunk.id()));
  EXPECT_EQ(order, ids) << "as they were asked for: a cut leaves a beginning";
  EXPECT_LT(fetched.frames.size(), ids.size()) << "small ones travel together";
  std::uint64_t payload = 0;
  for (const v1::ChunkFrame& frame : fetched.frames)
    for (const v1::Chunk& chunk : frame.chunks()) payload += chunk.payload().size();
  EXPECT_EQ(controller_.counts().chunk_bytes, payload);
}

TEST_F(LinkFetch, PacksWhatShrinksForWhoUnderstandsItAndNothingElse) {
  const auto over = channel(lyon_);
  v1::FetchChunksRequest request = want(release_, ids_of(release_));
  const Fetched packed = fetch(over, request);
  request.set_encodings(0);
  const Fetched plain = fetch(over, request);
  bool some_packed = false, some_plain = false;
  for (const v1::ChunkFrame& frame : packed.frames)
    for (const v1::Chunk& chunk : frame.chunks()) {
      const bool zstd = chunk.encoding() == v1::CHUNK_ENCODING_ZSTD;
      (zstd ? some_packed : some_plain) = true;
      if (zstd) {
        EXPECT_LE(chunk.payload().size(), chunk.size_bytes() * 19 / 20);
      }
    }
  EXPECT_TRUE(some_packed);
  EXPECT_TRUE(some_plain) << "random bytes do not shrink";
  for (const v1::ChunkFrame& frame : plain.frames)
    for (const v1::Chunk& chunk : frame.chunks())
      EXPECT_EQ(chunk.encoding(), v1::CHUNK_ENCODING_PLAIN);
  EXPECT_EQ(checked(plain), checked(packed));
}

TEST_F(LinkFetch, GivesAnAgentNothingThatIsNotItsSites) {
  const Digest secret = controller_.add_release(3);
  controller_.order("oslo", {}, secret);
  const auto over = channel(lyon_);
  const std::vector<Digest> theirs = ids_of(secret);
  CaptureStderr();
  const Fetched release = fetch(over, want(secret, theirs));
  EXPECT_EQ(release.error.code, Errc::denied);
  EXPECT_THAT(release.error.what, HasSubstr("not for site lyon"));
  EXPECT_TRUE(release.frames.empty());
  // Their chunks under the name of our release; and among ours.
  std::vector<Digest> mixed = ids_of(release_);
  mixed.push_back(theirs.back());
  const Fetched chunks = fetch(over, want(release_, mixed));
  EXPECT_EQ(chunks.error.code, Errc::denied);
  EXPECT_THAT(chunks.error.what, HasSubstr("does not belong to release"));
  EXPECT_TRUE(chunks.frames.empty());
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.fetch_refused agent=lyon/pi1"));
  EXPECT_EQ(controller_.counts().fetches_refused, 2U);
  EXPECT_EQ(controller_.counts().chunk_bytes, 0U);
  // Their agent may.
  const IdentityKey key = IdentityKey::generate();
  const Fetched owner = fetch(channel(controller_.enrol("oslo", "pi1", key)), want(secret, theirs));
  EXPECT_EQ(owner.error.what, "");
}

TEST_F(LinkFetch, AFloodOfWhatIsNotItsSitesIsCountedAndNotWritten) {
  const auto stub = v1::Link::NewStub(channel(lyon_));
  const Digest unknown = sha256(to_bytes("nobody has this"));
  CaptureStderr();
  for (int i = 0; i < 80; ++i) {
    // The one before may not have gone quite yet.
    EXPECT_TRUE(eventually([&] {
      return fetch(stub, want(unknown, std::span(&unknown, 1))).error.code == Errc::denied;
    }));
  }
  EXPECT_EQ(lines_of("link.fetch_refused", GetCapturedStderr()), 60U) << "a burst; no time passes";
  EXPECT_EQ(controller_.counts().fetches_refused, 80U);
}

TEST_F(LinkFetch, GivesNothingToASiteOfWhichNothingIsDesired) {
  const IdentityKey key = IdentityKey::generate();
  const auto over = channel(controller_.enrol("rome", "pi1", key));
  EXPECT_EQ(fetch(over, want(release_, ids_of(release_))).error.code, Errc::denied);
}

TEST_F(LinkFetch, GivesWhatTheSiteWasToHaveBeforeForAWhile) {
  const std::vector<Digest> ids = ids_of(release_);
  const auto over = channel(lyon_);
  const auto order_another = [&] { controller_.order("lyon", {}, controller_.add_release(1)); };
  order_another();
  EXPECT_EQ(fetch(over, want(release_, ids)).error.what, "") << "machines install from it yet";
  const IdentityKey key = IdentityKey::generate();
  controller_.order("oslo", {}, controller_.add_release(1));
  const auto oslo = channel(controller_.enrol("oslo", "pi1", key));
  EXPECT_EQ(fetch(oslo, want(release_, ids)).error.code, Errc::denied) << "oslo never had it";
  for (std::size_t i = 0; i < kReleasesBeforeMax; ++i) order_another();
  EXPECT_EQ(fetch(over, want(release_, ids)).error.code, Errc::denied);
}

TEST_F(LinkFetch, RefusesAChunkNobodyKnows) {
  const Digest unknown = sha256(to_bytes("nobody has this"));
  const Fetched fetched = fetch(channel(lyon_), want(release_, std::span(&unknown, 1)));
  EXPECT_EQ(fetched.error.code, Errc::denied);
  const Fetched no_release = fetch(channel(lyon_), want(unknown, std::span(&unknown, 1)));
  EXPECT_EQ(no_release.error.code, Errc::denied);
}

TEST_F(LinkFetch, RefusesMalformedRequestsAndStaysUp) {
  const auto over = channel(lyon_);
  const std::vector<Digest> ids = ids_of(release_);
  v1::FetchChunksRequest request = want(release_, ids);
  request.set_release("short");
  EXPECT_EQ(fetch(over, request).error.code, Errc::invalid);
  request = want(release_, {});
  EXPECT_EQ(fetch(over, request).error.code, Errc::invalid);
  request = want(release_, ids);
  request.mutable_want()->pop_back();
  EXPECT_EQ(fetch(over, request).error.code, Errc::invalid);
  request.set_want(to_proto(ids.front()) + to_proto(ids.front()));
  const Error twice = fetch(over, request).error;
  EXPECT_EQ(twice.code, Errc::invalid);
  EXPECT_THAT(twice.what, HasSubstr("named twice"));
  request.set_want(std::string(32 * 4097, 'x'));
  EXPECT_EQ(fetch(over, request).error.code, Errc::invalid);
  request.set_want(std::string(kMessageBytesMax + 1, 'x'));
  EXPECT_EQ(fetch(loud_channel(lyon_), request).error.code, Errc::exhausted);
  expect_alive();
}

TEST_F(LinkFetch, RefusesBytesThatAreNoMessage) {
  grpc::GenericStub stub(channel(lyon_));
  const auto context = patient();
  grpc::CompletionQueue queue;
  const grpc::Slice garbage(std::string(100, '\xff'));
  const grpc::ByteBuffer request(&garbage, 1);
  const auto call =
      stub.PrepareUnaryCall(context.get(), "/farboot.v1.Link/FetchChunks", request, &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_FALSE(status.ok());
  expect_alive();
}

TEST_F(LinkFetch, NamesWhatItLacksAndSendsTheRest) {
  // A byte of the last record on the disk flips while the controller is down.
  controller_.stop();
  {
    std::fstream pack(only_pack(), std::ios::in | std::ios::out | std::ios::binary);
    pack.seekp(-1'000, std::ios::end);
    pack.put('\x5a');
    pack.put('\xa5');
  }
  controller_.start();
  const std::vector<Digest> ids = ids_of(release_);
  for (int round = 0; round < 2; ++round) {
    SCOPED_TRACE(round);
    const Fetched fetched = fetch(channel(lyon_), want(release_, ids));
    EXPECT_EQ(fetched.error.what, "");
    const std::vector<Digest> missing = missing_of(fetched);
    ASSERT_EQ(missing.size(), 1U);
    const auto chunks = checked(fetched);
    EXPECT_EQ(chunks.size(), ids.size() - 1);
    EXPECT_FALSE(chunks.contains(missing.front())) << "never a rotten one";
  }
}

TEST_F(LinkFetch, WhatCannotBeReadHoldsNothingElseUp) {
  const std::vector<Digest> ids = ids_of(release_);
  ASSERT_EQ(fetch(channel(lyon_), want(release_, {&ids.front(), 1})).error.what, "");
  std::vector<Digest> in_pack;
  int pack = -1;
  for (const Digest& id : ids) {
    const auto source = controller_.content->open(id);
    ASSERT_TRUE(source);
    if (source->fd < 0) continue;
    pack = source->fd;
    if (id != ids.front()) in_pack.push_back(id);
  }
  ASSERT_FALSE(in_pack.empty());
  ASSERT_LT(in_pack.size(), ids.size());
  // All were found good, and from now on each read of the pack fails with EIO.
  const UniqueFd unreadable(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::dup3(unreadable.get(), pack, O_CLOEXEC), pack);
  const Fetched fetched = fetch(channel(lyon_), want(release_, ids));
  EXPECT_EQ(fetched.error.what, "");
  const std::vector<Digest> missing = missing_of(fetched);
  EXPECT_EQ(missing, in_pack);
  EXPECT_EQ(checked(fetched).size(), ids.size() - in_pack.size());
  EXPECT_EQ(*controller_.content->missing(ids), in_pack) << "quarantined, so that it is mended";
}

TEST_F(LinkFetch, ARevokedAgentsFetchEndsInTheMiddle) {
  // Larger than what fits between the two ends, so that it cannot have ended.
  const Digest large = controller_.add_release(500);
  controller_.order("lyon", {}, large);
  const auto stub = v1::Link::NewStub(channel(lyon_));
  const auto context = patient();
  const auto ids = ids_of(large);
  const auto reader = stub->FetchChunks(context.get(), want(large, ids));
  v1::ChunkFrame frame;
  ASSERT_TRUE(reader->Read(&frame));
  ASSERT_TRUE(controller_.enrolment->revoke("lyon/pi1"));
  std::size_t chunks = static_cast<std::size_t>(frame.chunks_size());
  while (reader->Read(&frame)) chunks += static_cast<std::size_t>(frame.chunks_size());
  EXPECT_LT(chunks, ids.size());
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << status.error_message();
}

TEST_F(LinkFetch, TheThirdAtOnceEndsTheFirst) {
  // Larger than what fits between the two ends, so that none of them can have ended.
  const Digest large = controller_.add_release(500);
  controller_.order("lyon", {}, large);
  const auto stub = v1::Link::NewStub(channel(lyon_));
  const auto ids = ids_of(large);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::ChunkFrame>>> readers;
  v1::ChunkFrame frame;
  for (int i = 0; i < 3; ++i) {
    contexts.push_back(patient());
    readers.push_back(stub->FetchChunks(contexts.back().get(), want(large, ids)));
    ASSERT_TRUE(readers.back()->Read(&frame));
  }
  while (readers[0]->Read(&frame)) {
  }
  const grpc::Status first = readers[0]->Finish();
  EXPECT_EQ(first.error_code(), grpc::StatusCode::ABORTED) << first.error_message();
  for (const std::size_t i : {1U, 2U}) {
    while (readers[i]->Read(&frame)) {
    }
    const grpc::Status status = readers[i]->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
}

TEST_F(LinkFetch, TheFifthIsTurnedAwayWhileTheFirstTwoCannotEnd) {
  const Digest large = controller_.add_release(200);
  controller_.order("lyon", {}, large);
  std::vector<Digest> ids;  // each as large as a chunk may be
  for (const ChunkRef& chunk : controller_.chunks_of(large))
    if (chunk.size_bytes == kChunkBytesMax) ids.push_back(chunk.id);
  v1::FetchChunksRequest request = want(large, ids);
  request.set_encodings(0);
  // A client that takes what it reads and hardly more: who is ended keeps the frame it writes.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 * 1024);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  const auto stub = v1::Link::NewStub(own_channel(lyon_, arguments));
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::ChunkFrame>>> readers;
  v1::ChunkFrame frame;
  for (int i = 0; i < 4; ++i) {
    const std::uint64_t before = controller_.counts().chunk_bytes;
    contexts.push_back(patient());
    readers.push_back(stub->FetchChunks(contexts.back().get(), request));
    ASSERT_TRUE(readers.back()->Read(&frame));
    // It has made the third frame: the second is on the line and goes no further.
    ASSERT_TRUE(
        eventually([&] { return controller_.counts().chunk_bytes - before > 2 * kFrameBytesMax; }));
  }
  const Error fifth = fetch(stub, request).error;
  EXPECT_EQ(fifth.code, Errc::unavailable);
  EXPECT_THAT(fifth.what, HasSubstr("earlier fetches of this agent"));
  for (const auto& context : contexts) context->TryCancel();
  for (const auto& reader : readers) static_cast<void>(reader->Finish());
  EXPECT_TRUE(eventually([&] {
    return fetch(stub, want(large, std::span(&ids.front(), 1))).error.what.empty();
  })) << "when they are gone it may";
}

TEST_F(LinkFetch, SaysWhyWhenItStopsInTheMiddle) {
  const Digest large = controller_.add_release(200);
  controller_.order("lyon", {}, large);
  const auto over = channel(lyon_);
  const auto ids = ids_of(large);
  const auto stub = v1::Link::NewStub(over);
  const auto context = patient();
  const auto reader = stub->FetchChunks(context.get(), want(large, ids));
  v1::ChunkFrame frame;
  ASSERT_TRUE(reader->Read(&frame));
  controller_.stop();
  while (reader->Read(&frame)) {
  }
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  EXPECT_EQ(status.error_message(), "the controller stops; come again");
}

}  // namespace
}  // namespace farboot

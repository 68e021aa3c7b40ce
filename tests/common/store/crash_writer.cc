#include "tests/common/store/crash_writer.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>

#include "common/base/check.h"
#include "common/store/rocks_state.h"
#include "tests/common/store/store_harness.h"

namespace farboot::test {
namespace {

constexpr int kAckFd = 3;
constexpr const char* kFolderVariable = "FARBOOT_CRASH_WRITER_FOLDER";
constexpr const char* kSeedVariable = "FARBOOT_CRASH_WRITER_SEED";

struct Ack {
  enum class Kind : std::uint64_t {
    chunk,
    state
  };
  Kind kind;
  std::uint64_t number;
};

void say(Ack::Kind kind, std::uint64_t number) {
  const Ack ack{kind, number};
  FARBOOT_CHECK(::write(kAckFd, &ack, sizeof ack) == sizeof ack);
}

void put_batch(PackStore& store, std::uint64_t first, std::uint64_t count) {
  std::vector<Bytes> bytes;
  std::vector<ContentStore::Chunk> batch;
  for (std::uint64_t i = first; i < first + count; ++i) {
    bytes.push_back(noise(crash_chunk_size(i), i));
  }
  for (const Bytes& chunk : bytes) batch.push_back({sha256(chunk), chunk});
  auto done = store.put(batch);
  FARBOOT_CHECK(done.has_value());
  for (std::uint64_t i = first; i < first + count; ++i) say(Ack::Kind::chunk, i);
}

/// Runs until killed.
[[noreturn]] void write_for_ever(const std::string& folder, std::uint64_t seed) {
  auto database = Database::open(folder + "/db");
  FARBOOT_CHECK(database.has_value());
  PackStoreOptions options = DiskStore::roomy();
  options.pack_bytes_max = 2u << 20;
  auto store = PackStore::open(**database, folder + "/packs", options);
  FARBOOT_CHECK(store.has_value());
  auto state = RocksState::open(**database);
  FARBOOT_CHECK(state.has_value());

  std::mt19937_64 random(seed);
  auto counter = (*state)->get("counter");
  FARBOOT_CHECK(counter.has_value());
  std::uint64_t number = *counter ? std::stoull((*counter)->value) : 0;
  std::set<Digest> droppable;
  for (std::uint64_t next = seed;;) {
    const std::uint64_t count = 1 + random() % 6;
    for (std::uint64_t i = next; i < next + count; ++i) {
      if (crash_chunk_droppable(i)) droppable.insert(sha256(noise(crash_chunk_size(i), i)));
    }
    put_batch(**store, next, count);
    next += count;
    ++number;
    auto committed = (*state)->commit(
        Transaction{}.put("counter", std::to_string(number)).put("twin", std::to_string(number)));
    FARBOOT_CHECK(committed.has_value());
    say(Ack::Kind::state, number);
    if (random() % 4 == 0) {
      FARBOOT_CHECK(
          (*store)->sweep([&](const Digest& id) { return !droppable.contains(id); }).has_value());
    }
  }
}

/// Before main(), so that the writer needs no program of its own.
const bool kIsWriter = [] {
  const char* const folder = std::getenv(kFolderVariable);
  if (folder != nullptr) write_for_ever(folder, std::stoull(std::getenv(kSeedVariable)));
  return false;
}();

}  // namespace

std::size_t crash_chunk_size(std::uint64_t seed) {
  std::mt19937_64 random(seed * 977);
  return random() % 4 == 0 ? 100 + random() % kInlineBytesMax : 17'000 + random() % 200'000;
}

CrashWriter::CrashWriter(const std::string& folder, std::uint64_t seed) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  acks_.reset(ends[0]);
  const UniqueFd writer(ends[1]);
  // Made before the fork: between fork and exec nothing may allocate.
  const std::string folder_variable = fmt::format("{}={}", kFolderVariable, folder);
  const std::string seed_variable = fmt::format("{}={}", kSeedVariable, seed);
  std::vector<std::string> environment = {folder_variable, seed_variable};
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  std::vector<char*> pointers;
  for (std::string& entry : environment) pointers.push_back(entry.data());
  pointers.push_back(nullptr);
  char name[] = "crash_writer";
  char* const arguments[] = {name, nullptr};
  pid_ = ::fork();
  if (pid_ == 0) {
    if (writer.get() == kAckFd) {
      ::fcntl(kAckFd, F_SETFD, 0);
    } else {
      ::dup2(writer.get(), kAckFd);
    }
    ::execve("/proc/self/exe", arguments, pointers.data());
    ::_exit(127);
  }
  EXPECT_GT(pid_, 0);
}

CrashWriter::~CrashWriter() { kill(); }

bool CrashWriter::read_one(int timeout_ms, Acknowledged& acknowledged) {
  pollfd ready{.fd = acks_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, timeout_ms) <= 0) return false;
  Ack ack{};
  if (::read(acks_.get(), &ack, sizeof ack) != sizeof ack) return false;
  if (ack.kind == Ack::Kind::state) {
    acknowledged.state = ack.number;
  } else if (!crash_chunk_droppable(ack.number)) {
    acknowledged.chunks.insert(ack.number);
  }
  return true;
}

bool CrashWriter::wait(int count, Acknowledged& acknowledged) {
  for (int i = 0; i < count; ++i) {
    if (!read_one(120'000, acknowledged)) return false;
  }
  return true;
}

void CrashWriter::drain(Acknowledged& acknowledged) {
  while (read_one(0, acknowledged)) {
  }
}

void CrashWriter::stop() {
  ::kill(pid_, SIGSTOP);
  int status = 0;
  EXPECT_EQ(::waitpid(pid_, &status, WUNTRACED), pid_);
  EXPECT_TRUE(WIFSTOPPED(status));
}

void CrashWriter::go_on() { ::kill(pid_, SIGCONT); }

void CrashWriter::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace farboot::test

#include "controller/import/intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/store/memory_store.h"
#include "controller/import/stored_file.h"
#include "small_tree.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

class IntakeTest : public ::testing::Test {
 protected:
  SourceFile file(const std::string& path, const std::string& bytes) {
    SourceFile source{.path = path};
    source.size_bytes = bytes.size();
    return source;
  }
  Result<void> feed(Intake& intake, const SourceFile& source, std::string_view bytes,
                    std::size_t portion = 300'000) {
    if (auto ok = intake.begin(source); !ok) return ok.error();
    for (; !bytes.empty(); bytes.remove_prefix(std::min(portion, bytes.size())))
      if (auto ok = intake.write(as_bytes(bytes.substr(0, portion))); !ok) return ok.error();
    return intake.end();
  }

  MemoryStore store_;
  ImportWatcher nobody_;
  Meter meter_{nobody_};
};

TEST_F(IntakeTest, CutsByKindAndHashesWhole) {
  Intake intake(store_, meter_, Intake::Mode::keep);
  const std::string rpm = noise(2'500'000, 1);
  const std::string squashfs = "hsqs" + noise(6'000'000, 2);
  const std::string exact = noise(kChunkBytesMax, 3);
  ASSERT_TRUE(feed(intake, file("a.rpm", rpm), rpm));
  ASSERT_TRUE(feed(intake, file("squashfs.img", squashfs), squashfs, 1u << 21));
  ASSERT_TRUE(feed(intake, file("exact", exact), exact));
  ASSERT_TRUE(feed(intake, file("empty", ""), ""));
  auto files = intake.finish();
  ASSERT_TRUE(files) << files.error().what;
  ASSERT_EQ(files->size(), 4u);
  EXPECT_EQ((*files)[0].chunks.size(), 3u);
  EXPECT_GT((*files)[1].chunks.size(), 40u);
  EXPECT_EQ((*files)[2].chunks.size(), 1u);
  EXPECT_TRUE((*files)[3].chunks.empty());
  const std::string* contents[] = {&rpm, &squashfs, &exact};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*files)[i].sha256.hex(), sha256_hex(*contents[i]));
    EXPECT_EQ(as_text(*read_stored(store_, (*files)[i], 1u << 30)), *contents[i]);
  }
  EXPECT_EQ((*files)[3].sha256, sha256({}));
}

TEST_F(IntakeTest, PutsWhatIsThereTwiceOnce) {
  Intake intake(store_, meter_, Intake::Mode::keep);
  const std::string bytes = noise(3'000'000, 4);
  ASSERT_TRUE(feed(intake, file("a", bytes), bytes));
  ASSERT_TRUE(feed(intake, file("b", bytes), bytes));
  ASSERT_TRUE(intake.finish());
  EXPECT_EQ(store_.usage()->payload_bytes, bytes.size());
}

TEST_F(IntakeTest, MeasuresWithoutStoring) {
  const std::string held = noise(1'000'000, 5);
  const std::string more = noise(1'500'000, 6);
  ASSERT_TRUE(store_.put(sha256(as_bytes(held)), as_bytes(held)));
  Intake intake(store_, meter_, Intake::Mode::measure);
  ASSERT_TRUE(feed(intake, file("held", held), held));
  ASSERT_TRUE(feed(intake, file("more", more), more));
  ASSERT_TRUE(feed(intake, file("again", more), more));
  ASSERT_TRUE(intake.finish());
  EXPECT_EQ(intake.missing_bytes(), more.size());
  EXPECT_EQ(store_.usage()->payload_bytes, held.size());
}

TEST_F(IntakeTest, BeginsAFileAgain) {
  Intake intake(store_, meter_, Intake::Mode::keep);
  const std::string bytes = noise(2'500'000, 7);
  ASSERT_TRUE(intake.begin(file("a", bytes)));
  ASSERT_TRUE(intake.write(as_bytes(std::string(2'000'000, 'x'))));
  intake.again();
  ASSERT_TRUE(intake.write(as_bytes(bytes)));
  ASSERT_TRUE(intake.end());
  EXPECT_EQ(intake.last().sha256.hex(), sha256_hex(bytes));
}

TEST_F(IntakeTest, HoldsFilesToTheirSizeAndChecksum) {
  Intake intake(store_, meter_, Intake::Mode::keep);
  SourceFile source = file("a", "12345");
  EXPECT_THAT(feed(intake, source, "123456").error().what, HasSubstr("longer than the 5"));
  EXPECT_THAT(feed(intake, source, "1234").error().what, HasSubstr("ends after 4 of the 5"));
  source.checksum = *Checksum::make("sha256", sha256_hex("54321"));
  auto mismatch = feed(intake, source, "12345");
  ASSERT_FALSE(mismatch);
  EXPECT_EQ(mismatch.error().code, Errc::mismatch);
  EXPECT_THAT(mismatch.error().what, HasSubstr(sha256_hex("54321")));
}

TEST_F(IntakeTest, EndsWhenTheStoreIsFull) {
  MemoryStore full(1'000'000);
  Intake intake(full, meter_, Intake::Mode::keep);
  const std::string bytes = noise(2'000'000, 8);
  ASSERT_TRUE(feed(intake, file("a", bytes), bytes));
  auto files = intake.finish();
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Errc::exhausted);
}

TEST(Checksum, KnowsItsAlgorithms) {
  EXPECT_EQ(Checksum::make("SHA256", std::string(64, 'A'))->hex, std::string(64, 'a'));
  EXPECT_FALSE(Checksum::make("sha256", std::string(63, 'a')));
  EXPECT_FALSE(Checksum::make("sha256", std::string(64, 'g')));
  AnyHasher hasher("md5");
  hasher.update(as_bytes("abc"));
  EXPECT_EQ(hasher.finish_hex(), "900150983cd24fb0d6963f7d28e17f72");  // RFC 1321
}

TEST(Worker, DoesItsJobsInOrder) {
  std::vector<int> done;
  Worker worker(2);
  for (int i = 0; i < 100; ++i) worker.post([&done, i] { done.push_back(i); });
  worker.drain();
  ASSERT_EQ(done.size(), 100u);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
}

}  // namespace
}  // namespace farboot

#include "controller/import/repodata.h"

#include <expat.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "common/base/check.h"

namespace farboot {
namespace {

constexpr std::size_t kRepomdFilesMax = 1000;
constexpr std::size_t kTextBytesMax = 4096;  ///< of one element or attribute we care for
constexpr std::size_t kDepthMax = 64;

/// `rpm:entry` → `entry`: prefixes differ between writers.
std::string_view local_name(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

std::string attribute(const XML_Char** attributes, std::string_view name) {
  for (; *attributes != nullptr; attributes += 2)
    if (name == attributes[0]) return attributes[1];
  return {};
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct FreeParser {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

/// What both documents share: a list of items (`data`, `package`) one level below the root, whose
/// own children name a place, a size and a checksum. Everything deeper is walked past.
class ItemReader {
 public:
  using OnItem = std::function<Result<void>(const RepoFile&)>;

  ItemReader(std::string_view document, std::string_view item, OnItem on_item)
      : document_(document), item_name_(item), on_item_(std::move(on_item)) {
    parser_.reset(XML_ParserCreate(nullptr));
    FARBOOT_CHECK(parser_ != nullptr);
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser_.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser_.get(), on_doctype);
  }

  Result<void> push(ByteView xml, bool last) {
    constexpr std::size_t kStep = 1u << 20;  // expat counts in int
    do {
      const ByteView part = xml.first(std::min(xml.size(), kStep));
      xml = xml.subspan(part.size());
      const auto status =
          XML_Parse(parser_.get(), reinterpret_cast<const char*>(part.data()),
                    static_cast<int>(part.size()), last && xml.empty() ? XML_TRUE : XML_FALSE);
      if (error_) return *error_;
      if (status != XML_STATUS_OK)
        return fail(Errc::invalid, "{}: line {}: {}", document_,
                    XML_GetCurrentLineNumber(parser_.get()),
                    XML_ErrorString(XML_GetErrorCode(parser_.get())));
    } while (!xml.empty());
    return {};
  }

 private:
  static void on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
    static_cast<ItemReader*>(self)->start(local_name(name), attributes);
  }
  static void on_end(void* self, const XML_Char* name) {
    static_cast<ItemReader*>(self)->end(local_name(name));
  }
  static void on_text(void* self, const XML_Char* text, int size) {
    static_cast<ItemReader*>(self)->text({text, static_cast<std::size_t>(size)});
  }
  static void on_doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    auto* reader = static_cast<ItemReader*>(self);
    reader->stop(fail(Errc::invalid, "{}: has a document type declaration", reader->document_));
  }

  void stop(Error error) {
    if (error_) return;
    error_ = std::move(error);
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  void start(std::string_view name, const XML_Char** attributes) {
    if (++depth_ > kDepthMax)
      return stop(fail(Errc::invalid, "{}: nested deeper than {}", document_, kDepthMax));
    if (depth_ == 2 && name == item_name_) {
      item_ = RepoFile{};
      item_->type = attribute(attributes, "type");
    }
    if (depth_ != 3 || !item_) return;
    text_.clear();
    collecting_ = name == "checksum" || name == "size";
    if (name == "checksum") checksum_type_ = attribute(attributes, "type");
    if (name == "size") item_->size_bytes = number(attribute(attributes, "package"));
    if (name == "location") {
      item_->href = attribute(attributes, "href");
      item_->base = attribute(attributes, "xml:base");
      if (item_->href.size() > kTextBytesMax)
        stop(fail(Errc::invalid, "{}: a location of {} bytes", document_, item_->href.size()));
    }
  }

  void text(std::string_view piece) {
    if (!collecting_) return;
    if (text_.size() + piece.size() > kTextBytesMax)
      return stop(
          fail(Errc::invalid, "{}: a text of more than {} bytes", document_, kTextBytesMax));
    text_ += piece;
  }

  void end(std::string_view name) {
    if (depth_ == 3 && item_ && name == "checksum") take_checksum();
    if (depth_ == 3 && item_ && name == "size" && !item_->size_bytes)
      item_->size_bytes = number(text_);
    if (depth_ == 3) collecting_ = false;
    if (depth_ == 2 && item_) {
      if (item_->href.empty())
        return stop(fail(Errc::invalid, "{}: a {} without location", document_, item_name_));
      auto ok = on_item_(*item_);
      item_.reset();
      if (!ok) return stop(ok.error());
    }
    --depth_;
  }

  void take_checksum() {
    const std::size_t begin = text_.find_first_not_of(" \t\r\n");
    const std::size_t end = text_.find_last_not_of(" \t\r\n");
    const std::string hex = begin == std::string::npos ? "" : text_.substr(begin, end - begin + 1);
    auto checksum = Checksum::make(checksum_type_, hex);
    if (!checksum) return stop(prefix(document_, checksum.error()));
    item_->checksum = std::move(*checksum);
  }

  std::string document_;
  std::string item_name_;
  OnItem on_item_;
  std::unique_ptr<std::remove_pointer_t<XML_Parser>, FreeParser> parser_;
  std::optional<Error> error_;
  std::size_t depth_ = 0;
  std::optional<RepoFile> item_;
  std::string text_;
  std::string checksum_type_;
  bool collecting_ = false;
};

}  // namespace

Result<std::vector<RepoFile>> parse_repomd(ByteView xml) {
  if (xml.size() > kRepomdBytesMax)
    return fail(Errc::invalid, "repomd.xml: {} bytes, at most {}", xml.size(), kRepomdBytesMax);
  std::vector<RepoFile> files;
  ItemReader reader("repomd.xml", "data", [&files](const RepoFile& file) -> Result<void> {
    if (files.size() == kRepomdFilesMax)
      return fail(Errc::invalid, "repomd.xml: more than {} files", kRepomdFilesMax);
    files.push_back(file);
    return {};
  });
  if (auto ok = reader.push(xml, true); !ok) return ok.error();
  return files;
}

struct PrimaryParser::State {
  ItemReader reader;
};

PrimaryParser::PrimaryParser(OnPackage package)
    : state_(new State{
          ItemReader("primary.xml", "package", [on = std::move(package)](const RepoFile& file) {
            RepoFile untyped = file;
            untyped.type.clear();
            return on(untyped);
          })}) {}

PrimaryParser::~PrimaryParser() = default;

Result<void> PrimaryParser::push(ByteView xml) { return state_->reader.push(xml, false); }
Result<void> PrimaryParser::finish() { return state_->reader.push({}, true); }

}  // namespace farboot

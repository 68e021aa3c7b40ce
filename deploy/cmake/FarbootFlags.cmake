# One target carries every compiler flag; every room links it.
add_library(farboot_flags INTERFACE)
target_include_directories(farboot_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(farboot_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wswitch
  -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wextra-semi -Wformat=2 -fno-strict-aliasing
  $<$<CXX_COMPILER_ID:GNU>:-Wno-missing-field-initializers>
  $<$<CXX_COMPILER_ID:Clang>:-Wno-missing-field-initializers>)
# With CMAKE_UNITY_BUILD (all presets; clang-tidy alone goes file by file) a room is compiled a few files at a time: headers, and
# templates such as Asio's coroutines, cost most of a file's time. Every name in a room's unnamed namespaces is then
# its own. g++ takes what a source file keeps to itself for a header's.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 20)
if(CMAKE_UNITY_BUILD)
  target_compile_options(farboot_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
# What g++ 12 inlines for arm64 lets it take Boost's empty result, moved inside Asio's co_spawn, for one never set.
if(CMAKE_CROSSCOMPILING)
  target_compile_options(farboot_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
if(FARBOOT_WERROR)
  target_compile_options(farboot_flags INTERFACE -Werror)
endif()
if(FARBOOT_SANITIZE)
  target_compile_options(farboot_flags INTERFACE -fsanitize=${FARBOOT_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(FARBOOT_SANITIZE MATCHES "thread")
    # ThreadSanitizer knows no fences; Asio's come on top of its locks.
    target_compile_definitions(farboot_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
  if(FARBOOT_SANITIZE MATCHES "address")
    # A null pointer ends in AddressSanitizer's report anyway; these two double the time to compile.
    target_compile_options(farboot_flags INTERFACE -fno-sanitize=null,vptr)
    # clang 14 puts what this check looks at beside a coroutine's parts, where it cannot be reached.
    target_compile_options(farboot_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>)
  endif()
  target_link_options(farboot_flags INTERFACE -fsanitize=${FARBOOT_SANITIZE})
else()
  target_compile_options(farboot_flags INTERFACE -fstack-protector-strong)
  target_compile_definitions(farboot_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
  target_link_options(farboot_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(FARBOOT_FUZZ)
  target_compile_options(farboot_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
# mold links the test binaries in a fraction of the time. Not what is shipped: Debian 12's (1.10) now and then lets the
# part to be made read-only begin on a page that is not there, when thread-local data ends on a page's edge; such a
# program does not start. And it looks for ever for a layout where the program header's length decides whether two segments
# share a page: each begins with a page of its own.
find_program(FARBOOT_MOLD mold)
if(FARBOOT_MOLD AND FARBOOT_SANITIZE)
  target_link_options(farboot_flags INTERFACE -fuse-ld=mold -Wl,-z,norelro,-z,separate-loadable-segments)
endif()
find_program(FARBOOT_CCACHE ccache)
if(FARBOOT_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${FARBOOT_CCACHE})
endif()

# A room is a folder with its sources and a CMakeLists.txt of one call:
#
#   farboot_room(DEPS farboot::base PkgConfig::zstd)
#
# It makes the library farboot_<room> (farboot_<area>_<room> outside common/), alias farboot::<room>
# (farboot::<area>_<room>), of every .cc in the folder but main.cc.
function(farboot_room)
  cmake_parse_arguments(ROOM "" "" "DEPS;EXCLUDE" ${ARGN})
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME room)
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR PARENT_PATH parent)
  cmake_path(GET parent FILENAME area)
  set(name ${room})
  if(NOT area STREQUAL "common")
    set(name ${area}_${room})
  endif()
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  foreach(pattern IN LISTS ROOM_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${pattern}")
  endforeach()
  if(sources)
    add_library(farboot_${name} STATIC ${sources})
    target_link_libraries(farboot_${name} PUBLIC farboot_flags ${ROOM_DEPS})
  else()
    add_library(farboot_${name} INTERFACE)
    target_link_libraries(farboot_${name} INTERFACE farboot_flags ${ROOM_DEPS})
  endif()
  add_library(farboot::${name} ALIAS farboot_${name})
endfunction()

# farboot_add_rooms(AREA room…): in dependency order.
macro(farboot_add_rooms area)
  foreach(room ${ARGN})
    if(EXISTS ${CMAKE_SOURCE_DIR}/${area}/${room}/CMakeLists.txt)
      add_subdirectory(${area}/${room})
    endif()
  endforeach()
endmacro()

# The programs' own CMakeLists.txt, beside their main.cc.
macro(farboot_add_programs)
  foreach(area ${ARGN})
    if(EXISTS ${CMAKE_SOURCE_DIR}/${area}/CMakeLists.txt)
      add_subdirectory(${area})
    endif()
  endforeach()
endmacro()

# farboot_room_test(DEPS farboot::wire …): one test binary per room, of every *_test.cc in
# tests/<area>/<room>/; named <area>_<room>_test; each TEST is a ctest of its own, so ctest -j spreads them.
function(farboot_room_test)
  cmake_parse_arguments(T "" "TIMEOUT" "DEPS;LABELS" ${ARGN})
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME room)
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR PARENT_PATH parent)
  cmake_path(GET parent FILENAME area)
  set(name ${area}_${room}_test)
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE farboot_flags ${T_DEPS} GTest::gmock GTest::gtest_main)
  # g++ 12.2 with -O2 sees the end of a fresh std::vector as out of its bounds when a range is inserted there.
  target_compile_options(${name} PRIVATE
    "$<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>")
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  if(NOT T_LABELS)
    set(T_LABELS unit)
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${area}/${room}/" WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}"
    ENVIRONMENT "${FARBOOT_TEST_ENVIRONMENT}")
endfunction()

# farboot_fuzz(NAME DEPS …): tests/fuzz/fuzz_NAME.cc. With FARBOOT_FUZZ it is a libFuzzer program;
# otherwise it replays tests/fuzz/corpus/NAME (and the golden files named by GOLDEN) as one ctest.
function(farboot_fuzz name)
  cmake_parse_arguments(F "" "" "DEPS;GOLDEN" ${ARGN})
  set(target fuzz_${name})
  if(FARBOOT_FUZZ)
    add_executable(${target} fuzz_${name}.cc)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${target} fuzz_${name}.cc replay_main.cc)
    add_test(NAME fuzz/${name} COMMAND ${target} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name} ${F_GOLDEN})
    set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT 120 LABELS fuzz ENVIRONMENT "${FARBOOT_TEST_ENVIRONMENT}")
  endif()
  target_link_libraries(${target} PRIVATE farboot_flags ${F_DEPS})
endfunction()
